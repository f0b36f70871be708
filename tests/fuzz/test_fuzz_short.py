"""A few hundred damaged files of every format; fuzz_parsers.py runs as many as one likes."""

from __future__ import annotations

import pytest
from fuzz_parsers import TARGETS, fuzz

SLOW = {"gml": 150, "gzip": 150}


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(name):
    count = SLOW.get(name, 400)
    ends = fuzz(name, seed=6151, count=count)
    assert ends["graph"] + ends["GraphFormatError"] == count
    assert ends["GraphFormatError"] > count // 8
