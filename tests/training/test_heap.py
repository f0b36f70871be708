"""Freed memory stays during a training and goes back after it."""

from __future__ import annotations

import resource
import sys

import pytest
import torch

from graphsparse.training.heap import keep_freed_memory

FLOATS = 1 << 24  # 64 MiB, more than the largest threshold of glibc


def page_faults_of(times: int) -> int:
    """Return the page faults of writing and freeing a large tensor some times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.zeros(FLOATS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    """Return the resident bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="acts on glibc only")
def test_large_blocks_are_kept_in_the_context_and_returned_after_it():
    outside = page_faults_of(4)
    start = resident()
    with keep_freed_memory():
        torch.zeros(FLOATS)
        with keep_freed_memory():
            page_faults_of(1)
        assert page_faults_of(4) < outside / 10
        assert resident() > start + 2 * FLOATS
    assert resident() < start + FLOATS
    assert page_faults_of(4) > outside / 4
