"""GNU OpenMP hangs in a forked child once its parent has used it; ours must not."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("torch")

CODE = """
import numpy as np
import torch
import graphsparse as gs

gs.set_num_threads(4)
rng = np.random.default_rng(71)
EDGES = rng.integers(0, 20_000, (200_000, 2))
MASK = np.random.default_rng(73).random(200_000) < 0.5


def kernel():
    # 400,000 arcs: well above the size from which kernels run in parallel.
    return gs.Graph.from_edges(EDGES, num_nodes=20_000).edge_subgraph(MASK)


class Work(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, item):
        worker = torch.utils.data.get_worker_info()
        assert worker is not None and gs.num_threads() == 1
        graph = kernel()
        return graph.num_arcs, int(graph.indices.astype("int64").sum())


parent = kernel()
expected = [parent.num_arcs, int(parent.indices.astype("int64").sum())]
loader = torch.utils.data.DataLoader(
    Work(), batch_size=None, num_workers=4, multiprocessing_context="fork"
)
assert [list(item) for item in loader] == [expected] * 8
assert gs.num_threads() == 4 and kernel() == parent
print("ok")
"""


def test_kernels_run_in_forked_workers() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CODE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "ok\n"), run.stderr
