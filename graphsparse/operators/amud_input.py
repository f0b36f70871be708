"""What AMUD is given, checked: arcs, labels or features, and which nodes may be looked at."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from graphsparse.checks import check_choice
from graphsparse.convert import as_border, is_data
from graphsparse.graph import Graph
from graphsparse.operators.amud_result import AmudWarning
from graphsparse.patterns.counts import Arcs, Array
from graphsparse.patterns.labels import as_array, classes_of

PROFILES = ("labels", "features", "auto")
_OTHER_PARTS = ("val_mask", "test_mask")


@dataclasses.dataclass(frozen=True, eq=False)
class AmudInput:
    """A simple digraph with a class (or -1) per node, and features where they are to be used."""

    simple: Graph
    arcs: Arcs
    symmetric: bool
    classes: Array
    num_classes: int
    nodes: Array
    features: sp.csr_array | None
    device: Literal["cpu", "cuda"]
    notes: tuple[str, ...]


class Notes:
    """Remarks that go into the result, and those that are worth a warning."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> None:
        """Keep a remark."""
        self.texts.append(text)

    def warn(self, text: str) -> None:
        """Keep a remark and show it as a warning."""
        self.texts.append(text)
        warnings.warn(text, AmudWarning, stacklevel=4)


def read_input(graph: Any, labels: Any, features: Any, mask: Any, profile: str) -> AmudInput:
    """Check the arguments of :func:`graphsparse.amud` and bring them into one form."""
    check_choice("profile", profile, PROFILES)
    notes = Notes()
    if is_data(graph):
        labels = graph.get("y") if labels is None else labels
        features = graph.get("x") if features is None else features
    place = graph.device if isinstance(graph, Graph) else "cpu"
    border = as_border(graph.to("cpu") if place == "cuda" else graph)
    simple = border.graph.without_self_loops()
    n = simple.num_nodes
    if border.graph.weights is not None:
        notes.add("weights of the arcs were not looked at")
    if border.graph.num_self_loops:
        notes.add(f"{border.graph.num_self_loops} self-loops were left out")
    pattern = Graph._trusted(simple.indptr, simple.indices, None, True)
    symmetric = simple.num_arcs > 0 and pattern.is_symmetric()
    _remark_stored_once(pattern, symmetric, notes)
    allowed = _allowed(graph, mask, n, notes)
    classes, num_classes = classes_of(labels, n)
    by_features = profile == "features"
    if profile == "auto" and features is not None and not (classes[allowed] >= 0).any():
        by_features = True
        notes.add("no label may be used: features were compared instead")
    if by_features and features is None:
        raise ValueError("features must be given for profile='features', got None")
    classes = np.where(allowed, classes, -1)
    nodes = np.flatnonzero(allowed if by_features else classes >= 0)
    matrix = _features(features, n) if by_features else None
    arcs = Arcs.of(simple)
    return AmudInput(
        simple, arcs, symmetric, classes, num_classes, nodes, matrix, place, tuple(notes.texts)
    )


def _remark_stored_once(pattern: Graph, symmetric: bool, notes: Notes) -> None:
    if pattern.num_arcs == 0 or symmetric:
        return
    up = pattern.arc_rows() < pattern.indices
    if up.all() or not up.any():
        order = "u < v" if up.all() else "u > v"
        notes.warn(
            f"all {pattern.num_arcs} arcs u -> v have {order} and none has its reverse: this "
            "looks like an undirected graph stored once; .symmetrize() it if it is"
        )


def _allowed(graph: Any, mask: Any, n: int, notes: Notes) -> Array:
    """Which nodes may be looked at: those of ``mask``, else of ``train_mask``, else all."""
    data = is_data(graph)
    train = graph.get("train_mask") if data else None
    if mask is None and train is None:
        notes.add("every label given was used: give a mask where some of them judge a model later")
        return np.ones(n, np.bool_)
    if isinstance(mask, str):
        check_choice("mask", mask, ("all",))
        chosen = np.ones(n, np.bool_)
    else:
        chosen = as_array(train if mask is None else mask)
    if chosen.dtype != np.bool_ or chosen.shape != (n,):
        raise ValueError(
            f"mask must be bool of shape ({n},), or 'all', got {chosen.dtype} {chosen.shape}; "
            "of masks with several columns pass one"
        )
    for part in _OTHER_PARTS if data else ():
        other = graph.get(part)
        if other is None or as_array(other).shape != chosen.shape:
            continue
        shared = int((as_array(other) & chosen).sum())
        if shared:
            notes.warn(
                f"{shared} labels of {part} help to choose the graph: scores on them will flatter"
            )
    return chosen


def _features(features: Any, n: int) -> sp.csr_array[Any, Any]:
    given: Any = features if sp.issparse(features) else np.atleast_2d(as_array(features))
    matrix = sp.csr_array(given)
    if matrix.shape[0] != n:
        raise ValueError(f"features must have {n} rows, got shape {matrix.shape}")
    if not np.isfinite(matrix.data).all():
        raise ValueError("features must be finite, got NaN or infinity")
    return matrix
