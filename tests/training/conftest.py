"""One torch thread: toy models run slower on two, and far slower on a busy machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["cpu", "cuda"])
def place(request: pytest.FixtureRequest) -> str:
    """Where projections run: on the CPU, and through the GPU's kernels on the stand-in."""
    if request.param == "cuda":
        request.getfixturevalue("torch_gpu")
    return str(request.param)
