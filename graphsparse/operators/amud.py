"""AMUD: whether the directions of a graph help to tell its labels, from two-step patterns."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_count, check_seed
from graphsparse.convert.undirected import to_undirected
from graphsparse.operators.amud_input import AmudInput, Notes, read_input
from graphsparse.operators.amud_result import AmudResult
from graphsparse.patterns.counts import (
    Array,
    ClassCodes,
    PatternCounts,
    path_counts,
    support_counts,
)
from graphsparse.patterns.decision import Rules, Verdict, decide
from graphsparse.patterns.features import feature_counts, feature_population, unit_rows
from graphsparse.patterns.statistics import Population, describe, label_population
from graphsparse.rng import draw

WEIGHTINGS = ("auto", "support", "paths")
SAMPLE, HALVES = 30, 31  # domains of random numbers, see graphsparse.rng


def amud(
    graph: Any,
    labels: Any = None,
    *,
    features: Any = None,
    mask: Any = None,
    score: str = "adjusted",
    weighting: str = "auto",
    profile: str = "auto",
    threshold: float = 0.5,
    z_min: float = 2.0,
    min_pairs: int = 30,
    min_effect: float = 0.0,
    n_boot: int = 0,
    max_wedges: int = 2_000_000_000,
    seed: int = 0,
) -> AmudResult:
    """Decide whether to train on a digraph as it is or on its symmetrised copy.

    The three ways to take two steps (along two arcs, to a common successor and back, to a common
    predecessor and back) join different pairs of nodes.  Where they join nodes of one label at
    different rates, directions carry information.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``n`` nodes, ``m`` arcs; left as it is.  Self-loops, repeats and weights are not looked at.
    labels : array of numbers, shape (n,)
        Class of each node, -1 or NaN where there is none; ``data.y`` of a ``Data``.
    features : array or sparse matrix, shape (n, f)
        Compared by cosine where no label may be used; ``data.x`` of a ``Data``.
    mask : array of bool, shape (n,), or "all"
        Nodes whose label may be used; ``data.train_mask`` of a ``Data`` when left out.  Choosing
        the graph by test labels leaks them: that has to be asked for, and warns.
    score : {"adjusted", "r2"}
        Range of the chance-corrected rates, or spread of the squared correlations.
    weighting : {"auto", "support", "paths"}
        Count a joined pair once, or once per path (O(m)).  ``"auto"`` counts once as long as that
        takes no more than ``max_wedges`` steps.
    profile : {"auto", "labels", "features"}
        What to compare nodes by; ``"auto"`` takes features only where there is no label.
    threshold, z_min : float
        Least score, and least distance in standard errors, of a directed graph.
    min_pairs : int
        Patterns that join fewer pairs are not judged.
    min_effect : float
        Below this largest rate nothing is decided.
    n_boot : int
        Half-samples of the labels for ``confidence``; 0: none.
    max_wedges : int
        Two-step walks that may be counted; with ``weighting="support"`` rows are sampled above.
    seed : int
        For sampled rows and half-samples.

    Returns
    -------
    AmudResult
        The decision, its reason and numbers, and the graph to train on.

    Raises
    ------
    ValueError
        For an option out of range, arrays that do not fit, or ``score="r2"`` with path counts,
        which have no correlation.

    Notes
    -----
    O(m) time with path counts, which run where the graph lies; all else runs on the CPU.  Counts
    are exact integers, the same with any number of threads.  Threshold and ``z_min`` are
    provisional: see the method page.

    References
    ----------
    H. Sun et al., Breaking the Entanglement of Homophily and Heterophily in Semi-supervised Node
    Classification, ICDE 2024, arXiv:2312.04111.

    Examples
    --------
    >>> from graphsparse import Graph
    >>> arcs = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 0), (4, 5)]
    >>> result = amud(Graph.from_edges(arcs, directed=True), [0, 1, 0, 1, 0, 1], min_pairs=1)
    >>> result.decision, result.score, round(result.z, 3)
    ('directed', 1.0, 2.145)
    """
    rules = Rules(score, threshold, z_min, min_pairs, min_effect)
    check_choice("weighting", weighting, WEIGHTINGS)
    check_count("n_boot", n_boot)
    check_count("max_wedges", max_wedges)
    check_seed(seed)
    if score == "r2" and weighting == "paths":
        raise ValueError("weighting must be 'support' or 'auto' for score='r2', got 'paths'")
    given = read_input(graph, labels, features, mask, profile)
    view = _view(given, weighting, score, max_wedges, seed)
    verdict, statistics, population = _judge(view, given.classes, rules)
    notes = Notes()
    if verdict.reason == "undetermined":
        notes.warn(
            f"the {population.size} nodes that may be used do not decide between directed and "
            "undirected; the graph is taken as undirected"
        )
    confidence = None
    if n_boot:
        confidence = _confidence(view, rules, verdict.decision, n_boot, max_wedges, seed)
    keep = verdict.decision == "directed" or given.symmetric
    return AmudResult(
        graph=graph if keep else _symmetrised(graph, given),
        **dataclasses.asdict(verdict),
        patterns=statistics,
        confidence=confidence,
        weighting_used="support" if view.support else "paths",
        profile_used="labels" if given.features is None else "features",
        n_labelled=population.size,
        n_pairs=population.pairs,
        n_rows=population.size if view.sample is None else len(view.sample),
        reciprocity=_reciprocity(given),
        warnings=given.notes + tuple(notes.texts),
        parameters={
            **dataclasses.asdict(rules),
            "weighting": weighting,
            "profile": profile,
            "n_boot": n_boot,
            "max_wedges": max_wedges,
            "seed": seed,
        },
    )


def _symmetrised(graph: Any, given: AmudInput) -> Any:
    both = to_undirected(graph, given.simple)
    return both.to("cuda") if given.device == "cuda" else both


@dataclasses.dataclass(frozen=True, eq=False)
class _View:
    """How the input is counted: by support or paths, from all rows or a sample of them."""

    given: AmudInput
    support: bool
    sample: Array | None


def _view(given: AmudInput, weighting: str, score: str, limit: int, seed: int) -> _View:
    wedges = sum(given.arcs.wedges().values())
    within = wedges <= limit
    if weighting == "auto" and score == "r2" and not within:
        raise ValueError(
            f"weighting must be 'support' for score='r2' on this graph: it has {wedges} two-step "
            f"walks, more than max_wedges={limit}, and path counts have no correlation"
        )
    support = weighting == "support" or (weighting == "auto" and within)
    if within or not support:
        return _View(given, support, None)
    if given.features is not None:
        raise ValueError(
            f"weighting must be 'paths' for features on this graph: it has {wedges} two-step "
            f"walks, more than max_wedges={limit}"
        )
    size = len(given.nodes)
    count = max(min(size, 2), int(size * (limit / wedges)))
    bits = draw(seed, given.nodes.astype(np.uint64), 0, SAMPLE)
    return _View(given, True, np.sort(np.argsort(bits, kind="stable")[:count]))


def _judge(view: _View, classes: Array, rules: Rules) -> tuple[Verdict, dict[str, Any], Population]:
    given = view.given
    counts, population = _counts(view, classes)
    statistics = describe(counts, population, support=view.support)
    verdict = decide(
        counts, statistics, population, rules, symmetric=given.symmetric, sample=view.sample
    )
    return verdict, statistics, population


def _counts(view: _View, classes: Array) -> tuple[dict[str, PatternCounts], Population]:
    given = view.given
    if given.features is not None:
        x = unit_rows(given.features, given.nodes)
        counts = feature_counts(given.arcs, x, given.nodes, support=view.support)
        return counts, feature_population(x, given.nodes)
    labels = ClassCodes.of(classes, given.num_classes)
    nodes = labels.labelled()
    population = label_population(classes[nodes], given.num_classes)
    if not view.support:
        return path_counts(given.arcs.to(given.device), labels), population
    rows = None if view.sample is None else nodes[view.sample]
    return support_counts(given.arcs, labels, rows), population


def _confidence(
    view: _View, rules: Rules, decision: str, count: int, limit: int, seed: int
) -> float | None:
    """Share of half-samples, drawn class by class, that come to the same decision."""
    given = view.given
    if given.features is not None:
        return None
    cheap = count * sum(given.arcs.wedges().values()) <= limit
    half_view = _View(given, view.support and (cheap or rules.score == "r2"), None)
    same = 0
    for step in range(1, count + 1):
        bits = draw(seed, given.nodes.astype(np.uint64), step, HALVES)
        half = np.full(len(given.classes), -1)
        chosen = _first_halves(given.classes[given.nodes], bits)
        half[given.nodes[chosen]] = given.classes[given.nodes[chosen]]
        same += _judge(half_view, half, rules)[0].decision == decision
    return same / count


def _first_halves(classes: Array, bits: Array) -> Array:
    """Positions of the half of each class with the smallest bits; half of 3 is 2."""
    order = np.lexsort((bits, classes))
    starts = np.searchsorted(classes[order], classes[order])
    sizes = np.bincount(classes)[classes[order]]
    first: Array = order[np.arange(len(order)) - starts < (sizes + 1) // 2]
    return first


def _reciprocity(given: AmudInput) -> float:
    arcs = given.arcs.out
    if arcs.num_arcs == 0:
        return 0.0
    matrix = arcs.to_scipy()
    return float(matrix.multiply(matrix.T).nnz / arcs.num_arcs)
