"""Threads, optional packages and argument checks."""

from __future__ import annotations

import numpy as np
import pytest

import graphsparse
from graphsparse import MissingDependencyError, backend, checks


def test_thread_count_is_set_and_given_back():
    before = graphsparse.num_threads()
    try:
        graphsparse.set_num_threads(3)
        assert graphsparse.num_threads() == 3
    finally:
        graphsparse.set_num_threads(0)
    assert graphsparse.num_threads() == before
    with pytest.raises(ValueError, match="count must be >= 0, got -1"):
        graphsparse.set_num_threads(-1)


def test_a_missing_package_names_the_pip_line():
    with pytest.raises(MissingDependencyError, match=r"pip install 'graphsparse\[gnn\]'"):
        checks.require("no_such_package_here", "gnn", "training")
    assert checks.require("json", "gnn", "training").loads("1") == 1
    assert not checks.available(["no_such_package_here"])


def test_folders_hold_what_they_should():
    assert (backend.cuda_sources() / "core" / "philox.hpp").is_file()
    assert backend.bundled_data().is_dir()


def test_unknown_public_name():
    with pytest.raises(AttributeError, match="no attribute 'sparsifie'"):
        _ = graphsparse.sparsifie
    assert set(graphsparse.__all__) <= set(dir(graphsparse))
    for name in graphsparse.__all__:
        assert getattr(graphsparse, name) is not None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: checks.check_fraction("keep", "half"), TypeError, "keep must be a number"),
        (lambda: checks.check_fraction("keep", True), TypeError, "keep must be a number, got bool"),
        (lambda: checks.check_fraction("p", 1.01, zero=True), ValueError, r"p must be in \[0, 1\]"),
        (lambda: checks.check_count("k", 2.0), TypeError, "k must be an integer, got float"),
        (lambda: checks.check_count("k", 9, high=8), ValueError, r"k must be in \[0, 8\], got 9"),
        (
            lambda: checks.check_choice("g", "x", ("a",)),
            ValueError,
            "g must be one of 'a', got 'x'",
        ),
        (lambda: checks.check_seed(2**64), ValueError, "seed must be in"),
        (lambda: checks.check_ids("ids", np.zeros((2, 2), int)), ValueError, "1 dimension"),
    ],
)
def test_messages_name_argument_expectation_and_value(call, error, message):
    with pytest.raises(error, match=message):
        call()
