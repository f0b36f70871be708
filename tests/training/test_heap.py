"""Freed memory stays during a training and goes back after it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# A fresh process: what ran before decides what the heap holds.  64 MiB are more than the largest
# threshold of glibc.
SCRIPT = """
import json, resource
import torch
from graphsparse.training.heap import keep_freed_memory

FLOATS = 1 << 24

def page_faults_of(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.zeros(FLOATS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

found = {"outside": page_faults_of(4), "start": resident()}
with keep_freed_memory():
    page_faults_of(4)  # an aligned block may not fit where the last one was: the heap settles
    with keep_freed_memory():
        page_faults_of(1)
    found |= {"inside": page_faults_of(4), "held": resident()}
found |= {"end": resident(), "after": page_faults_of(4)}
print(json.dumps(found))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="acts on glibc only")
def test_large_blocks_are_kept_in_the_context_and_returned_after_it() -> None:
    command = [sys.executable, "-P", "-c", SCRIPT]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["inside"] < found["outside"] / 3
    assert found["held"] > found["start"] + (1 << 25)
    assert found["end"] < found["start"] + (1 << 24)
    assert found["after"] > found["outside"] / 4
