"""Many sparsifiers, many budgets, many figures: one table."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphsparse.checks import check_choice, check_fraction, check_seed
from graphsparse.convert import as_border
from graphsparse.graph import Graph
from graphsparse.operators.method import Array, Method, Sparsifier
from graphsparse.operators.sparsify import METHODS, make_method, trim
from graphsparse.quality.entries import Entry, EntryCache
from graphsparse.quality.limit import check_limit
from graphsparse.quality.pair import Pair, Task
from graphsparse.quality.report import figure_names, make_task, measure
from graphsparse.selection import select

Train = Callable[[Graph], float]
_WORSE = 2.0  # standard errors of a difference


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A table of figures.

    Attributes
    ----------
    entries : tuple of Entry
        In the order in which they were asked for.
    num_nodes, num_edges : int
        Of the full graph.
    """

    entries: tuple[Entry, ...]
    num_nodes: int
    num_edges: int

    def mean(self, method: str, keep: float, figure: str) -> tuple[float, float] | None:
        """Return mean and standard error over the seeds; None where nothing was measured."""
        found = [e for e in self.entries if (e.method, e.keep, e.figure) == (method, keep, figure)]
        values = np.array([e.value for e in found if e.value is not None])
        if not len(values):
            return None
        sampling = float(np.mean([e.error**2 for e in found if e.value is not None]))
        between = float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
        return float(values.mean()), math.sqrt(sampling + between)

    def table(self) -> Iterator[tuple[str, float, str, float, float]]:
        """Yield method, keep, figure, mean and standard error."""
        seen = dict.fromkeys((e.method, e.keep, e.figure) for e in self.entries)
        for method, keep, figure in seen:
            found = self.mean(method, keep, figure)
            if found is not None:
                yield method, keep, figure, *found

    def pareto(self, figure: str) -> list[tuple[str, float]]:
        """Return the methods and budgets that no other beats in one figure.

        One beats another if it keeps no more edges and its figure is higher by more than two
        standard errors, or as high with fewer edges.
        """
        rows = [(m, k, v, e) for m, k, f, v, e in self.table() if f == figure]
        return [
            (m, k) for m, k, v, e in rows if not any(_beats(other, (m, k, v, e)) for other in rows)
        ]

    def below_random(self, figure: str) -> list[tuple[str, float]]:
        """Return the methods and budgets that random edges of that budget beat."""
        rows = {(m, k): (v, e) for m, k, f, v, e in self.table() if f == figure}
        worse = []
        for (method, keep), (value, error) in rows.items():
            base = rows.get(("random", keep))
            if base and base[0] - value > _WORSE * math.hypot(error, base[1]):
                worse.append((method, keep))
        return worse

    def to_csv(self) -> str:
        """Return every entry as a line of CSV."""
        out = io.StringIO()
        names = [field.name for field in dataclasses.fields(Entry)]
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(dataclasses.asdict(entry) for entry in self.entries)
        return out.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """Return all entries and the fronts as a dict that JSON can hold."""
        figures = list(dict.fromkeys(entry.figure for entry in self.entries))
        return {
            "num_nodes": self.num_nodes,
            "num_edges": self.num_edges,
            "entries": [dataclasses.asdict(entry) for entry in self.entries],
            "pareto": {figure: self.pareto(figure) for figure in figures},
            "below_random": {figure: self.below_random(figure) for figure in figures},
        }

    def to_markdown(self) -> str:
        """Return one table per figure: methods by budgets; the front is bold, ! is below random."""
        rows = list(self.table())
        keeps = list(dict.fromkeys(keep for _, keep, _, _, _ in rows))
        lines = []
        for figure in dict.fromkeys(f for _, _, f, _, _ in rows):
            front, worse = set(self.pareto(figure)), set(self.below_random(figure))
            lines += [
                f"### {figure}",
                "",
                "| method | " + " | ".join(f"{k:g}" for k in keeps) + " |",
            ]
            lines.append("|---|" + "---:|" * len(keeps))
            for method in dict.fromkeys(m for m, _, f, _, _ in rows if f == figure):
                cells = [self._cell(method, keep, figure, front, worse) for keep in keeps]
                lines.append(f"| {method} | " + " | ".join(cells) + " |")
            lines.append("")
        return "\n".join(lines)

    def _cell(self, method: str, keep: float, figure: str, front: Any, worse: Any) -> str:
        found = self.mean(method, keep, figure)
        if found is None:
            return "–"
        text = f"{found[0]:.3f}" + (f" ± {found[1]:.3f}" if found[1] else "")
        text = f"**{text}**" if (method, keep) in front else text
        return text + (" !" if (method, keep) in worse else "")


def compare(
    graph: Any,
    methods: Sequence[str] | dict[str, dict[str, Any]],
    keeps: Sequence[float],
    figures: str | Sequence[str] = "default",
    *,
    seeds: Sequence[int] = (0,),
    samples: int = 64,
    features: Any = None,
    labels: Any = None,
    masks: tuple[Any, Any, Any] | None = None,
    test_on: str = "sparse",
    train: Train | None = None,
    max_seconds: float | None = None,
    directed: bool | None = None,
    cache: str | Path | None = None,
    on_entry: Callable[[Entry], None] | None = None,
) -> Comparison:
    """Sparsify by several methods to several budgets and measure what each kept.

    Parameters
    ----------
    graph : Graph, PyG Data, edge_index, SciPy matrix, networkx graph, ...
        ``m`` edges.
    methods : sequence of str, or dict of str to dict
        Names, or names with options; ``random`` is always compared too.
    keeps : sequence of float
        Fractions of the edges, in (0, 1].
    figures, samples, features, labels, masks, test_on, max_seconds
        As in :func:`quality_report`.
    seeds : sequence of int
        Seeds of the methods; the samples of the figures are the same for all.
    train : callable, optional
        ``train(sparse)`` trains on a sparse graph and returns a score in [0, 1]; it becomes the
        figure "train".
    directed : bool, optional
        Take the graph as directed or not.
    cache : path, optional
        File of JSON lines: what stands there is not measured again, so that a comparison that was
        stopped goes on.  Entries are found by a hash of graph, method, options, budget, seed and
        definition of the figure.
    on_entry : callable, optional
        Called with each entry as it is there.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If a method or figure is unknown or a budget out of range.

    Notes
    -----
    Edges are scored once per method and seed; every budget is a selection.  A budget that a method
    cannot meet (less than its forest) is an entry without a value that says so.

    Examples
    --------
    >>> ring = Graph.from_edges([(v, (v + 1) % 12) for v in range(12)])
    >>> table = compare(ring, ["spanner"], [0.5, 0.95], ["connectivity"])
    >>> table.mean("spanner", 0.95, "connectivity")
    (1.0, 0.0)
    """
    options = methods if isinstance(methods, dict) else {name: {} for name in methods}
    options = {"random": {}, **options}
    for name in options:
        check_choice("methods", name, METHODS)
    for keep in keeps:
        check_fraction("keeps", keep)
    for seed in seeds:
        check_seed(seed)
    whole = as_border(graph, directed=directed).graph.to("cpu")
    task = make_task(whole.num_nodes, features, labels, masks, test_on)
    names = figure_names(figures, whole.num_nodes, task is not None)
    known = EntryCache(cache, whole, samples, task)
    bench = _Bench(whole, names, samples, task, train, known, check_limit(max_seconds))
    entries = []
    for name, chosen in options.items():
        for seed in seeds:
            made = make_method(name, {**chosen, "seed": seed})
            for entry in bench.entries(name, made, chosen, keeps, seed):
                entries.append(entry)
                if on_entry is not None:
                    on_entry(entry)
    return Comparison(tuple(entries), whole.num_nodes, bench.total)


class _Bench:
    """One graph, and what is measured on each of its sparse graphs."""

    def __init__(
        self,
        graph: Graph,
        names: list[str],
        samples: int,
        task: Task | None,
        train: Train | None,
        known: EntryCache,
        max_seconds: float | None,
    ) -> None:
        self._graph, self._names, self._train, self._known = graph, names, train, known
        self._limit = max_seconds
        self._samples, self._task = samples, task
        self._full = Pair(graph, graph, samples, 0, task)
        self.total = self._full.g.num_edges

    def entries(
        self,
        name: str,
        made: Sparsifier,
        options: dict[str, Any],
        keeps: Iterable[float],
        seed: int,
    ) -> Iterator[Entry]:
        """Yield the entries of one method and seed."""
        figures = [*self._names, *(["train"] if self._train else [])]
        cut = _Cut(self._graph, made)
        for keep in keeps:
            sparse: Graph | str | None = None
            pair: Pair | None = None
            for figure in figures:
                key = self._known.key(name, options, keep, seed, figure)
                entry = self._known.get(key)
                if entry is None:
                    if sparse is None:
                        sparse = cut.to(keep)
                        pair = self._pair(sparse) if isinstance(sparse, Graph) else None
                    entry = self._measure(name, keep, seed, figure, sparse, pair, cut)
                    self._known.put(key, entry)
                yield entry

    def _pair(self, sparse: Graph) -> Pair:
        return Pair(self._graph, sparse, self._samples, 0, self._task, full=self._full)

    def _measure(
        self,
        name: str,
        keep: float,
        seed: int,
        figure: str,
        sparse: Graph | str,
        pair: Pair | None,
        cut: _Cut,
    ) -> Entry:
        start = time.perf_counter()
        value, error, note = None, 0.0, ""
        count = 0
        if pair is None or isinstance(sparse, str):
            note = str(sparse)
        elif figure == "train" and self._train is not None:
            value, count = float(self._train(sparse)), pair.h.num_edges
        else:
            row = measure(figure, pair, self._limit)
            value, error, note, count = row.value, row.error, row.failure, pair.h.num_edges
        return Entry(
            method=name, keep=keep, seed=seed, figure=figure, num_edges=count, value=value,
            error=error, score_seconds=cut.score_seconds, select_seconds=cut.select_seconds,
            figure_seconds=time.perf_counter() - start,
            peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, note=note,
        )  # fmt: skip


class _Cut:
    """A method on a graph: scored at the first budget, selected at each."""

    def __init__(self, graph: Graph, method: Sparsifier) -> None:
        self._graph, self._method = graph, method
        self._keys: Array | None = None
        self.score_seconds = self.select_seconds = 0.0

    def to(self, keep: float) -> Graph | str:
        """Return the sparse graph, or why there is none."""
        try:
            return self._to(keep)
        except ValueError as error:
            return str(error)

    def _to(self, keep: float) -> Graph:
        made, start = self._method, time.perf_counter()
        if not isinstance(made, Method):
            result = trim(self._graph, keep, None, made)
            self.score_seconds = result.seconds["score"]
            self.select_seconds = result.seconds["select"]
            sparse: Graph = result.graph
            return sparse
        chosen = made.candidates(self._graph)
        if self._keys is None:
            self._keys = made.keys(self._graph, chosen.graph)
            self.score_seconds = time.perf_counter() - start
            start = time.perf_counter()
        budget = made.budget(chosen.graph, keep, None)
        mask = select(
            chosen.graph, self._keys, budget or 0, tie_break=made.tie_break, seed=made.seed,
            connected=made.connected,
        )  # fmt: skip
        sparse = self._graph.edge_subgraph(chosen.expand(mask))
        self.select_seconds = time.perf_counter() - start
        return sparse


def _beats(a: tuple[str, float, float, float], b: tuple[str, float, float, float]) -> bool:
    (_, keep_a, value_a, error_a), (_, keep_b, value_b, error_b) = a, b
    if keep_a > keep_b:
        return False
    gap = value_a - value_b
    return gap > _WORSE * math.hypot(error_a, error_b) or (gap >= 0 and keep_a < keep_b)
