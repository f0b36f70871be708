"""A trained model whose removed weights are really gone, with the bytes and the time that saves."""

from __future__ import annotations

import copy
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from graphsparse.backend import num_threads
from graphsparse.checks import check_choice, check_count
from graphsparse.models.csr_linear import CsrLinear
from graphsparse.models.layers import LayerInput
from graphsparse.training.linear_maps import (
    Holder,
    LinearMap,
    has_sparse_input,
    inputs_of_maps,
    linear_maps,
)
from graphsparse.training.semi_structured import SemiStructuredLinear

LAYOUTS = ("auto", "csr", "dense", "2:4")


@dataclasses.dataclass(frozen=True)
class MapReport:
    """One linear map before and after.

    Attributes
    ----------
    name : str
        Name of its weight.
    shape : (int, int)
        Outputs and inputs.
    kept : int
        Weights that are not 0.
    dense_bytes, csr_bytes : int
        Size of the weight as it was and by compressed sparse rows.
    dense_seconds, csr_seconds : float or None
        Median time of one call on the inputs that the map met; None where it was not timed.
    layout : {"dense", "csr", "2:4"}
        What the compact model uses.
    reason : str
        Why.
    """

    name: str
    shape: tuple[int, int]
    kept: int
    dense_bytes: int
    csr_bytes: int
    dense_seconds: float | None
    csr_seconds: float | None
    layout: str
    reason: str

    @property
    def density(self) -> float:
        """Fraction of the weights that is not 0."""
        return self.kept / max(self.shape[0] * self.shape[1], 1)


@dataclasses.dataclass(frozen=True, eq=False)
class CompactReport:
    """A compact copy of a model and what was measured on the way.

    Attributes
    ----------
    model : Module
        The copy, in evaluation mode and without gradients.
    maps : tuple of MapReport
        Every linear map that was looked at.
    bytes_before, bytes_after : int
        All parameters and buffers.
    seconds_before, seconds_after : float or None
        Median time of the whole model on the example, if one was given.
    max_difference : float or None
        Largest difference between the outputs of both on the example.
    torch_threads, threads : int
        Threads of the dense and of the sparse products.
    """

    model: nn.Module
    maps: tuple[MapReport, ...]
    bytes_before: int
    bytes_after: int
    seconds_before: float | None
    seconds_after: float | None
    max_difference: float | None
    torch_threads: int
    threads: int

    def as_dict(self) -> dict[str, Any]:
        """Return all figures; JSON can hold them."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del fields["model"]
        return {**fields, "maps": [dataclasses.asdict(entry) for entry in self.maps]}

    def __str__(self) -> str:
        lines = [
            f"{m.name}: {m.shape[1]} -> {m.shape[0]}, {m.density:.1%} kept, {m.layout} ({m.reason})"
            for m in self.maps
        ]
        lines.append(f"bytes: {self.bytes_before:,} -> {self.bytes_after:,}")
        if self.seconds_before is not None and self.seconds_after is not None:
            before, after = 1e3 * self.seconds_before, 1e3 * self.seconds_after
            lines.append(f"time: {before:.3f} ms -> {after:.3f} ms")
        return "\n".join(lines)


def compact(
    model: nn.Module,
    *example: Any,
    layout: str = "auto",
    rows: int = 1024,
    repeat: int = 30,
    warmup: int = 5,
) -> CompactReport:
    """Return a copy of a trained model that stores its pruned linear maps as sparse matrices.

    Looks at every ``torch.nn.Linear``, torch-geometric ``Linear`` and weight matrix of this
    package's graph layers.  Both forms of each map are timed on the inputs it meets; the sparse one
    is taken where it is faster, so that a compact model is never slower on purpose.

    Parameters
    ----------
    model : Module
        On the CPU, float32 or float64; it stays as it is.
    *example
        What the model is called with; without it every map is timed on random inputs.
    layout : {"auto", "csr", "dense", "2:4"}
        ``"auto"`` decides by the clock, ``"csr"`` and ``"dense"`` take one form for all maps.
        ``"2:4"`` gives each map torch's semi-structured form, which needs a CUDA GPU of compute
        capability 8.0 and weights with at most 2 of 4 inputs kept.
    rows : int
        Rows of the random inputs.
    repeat, warmup : int
        Timed calls, after some that do not count.

    Returns
    -------
    CompactReport
        The copy as ``report.model``, and the figures.

    Raises
    ------
    ValueError
        If the model has no linear map, or ``"2:4"`` is asked for weights of another pattern.
    BackendError
        If a device cannot hold the form asked for.

    Examples
    --------
    >>> from graphsparse.training import project_l0
    >>> layer = nn.Linear(256, 256)
    >>> _ = project_l0(layer.weight, keep=0.02)
    >>> report = compact(layer, layout="csr", repeat=1)
    >>> report.bytes_before, report.bytes_after
    (263168, 12532)
    """
    check_choice("layout", layout, LAYOUTS)
    check_count("rows", rows, low=1)
    check_count("repeat", repeat, low=1)
    check_count("warmup", warmup)
    before, holder = copy.deepcopy(model).eval(), Holder(copy.deepcopy(model).eval())
    places = list(linear_maps(holder))
    if not places:
        raise ValueError(f"{type(model).__name__} has no linear map that could be compact")
    clock = _Clock(repeat, warmup)
    maps, replacements = [], []
    with torch.no_grad():
        if example:
            seen = inputs_of_maps(model, example)
        else:
            seen = {p.name: [torch.randn(rows, p.weight.shape[1]).to(p.weight)] for p in places}
        for place in places:
            entry, replacement = _decide(place, seen[place.name], layout, clock)
            maps.append(entry)
            replacements.append(replacement)
        for place, replacement in zip(places, replacements, strict=True):
            if replacement is not None:
                place.replace(replacement)
        after = holder.model.requires_grad_(False)
        seconds: tuple[float | None, float | None] = (None, None)
        if example:
            seconds = clock.medians(lambda: before(*example), lambda: after(*example))
        difference = _difference(before(*example), after(*example)) if example else None
    return CompactReport(
        model=after,
        maps=tuple(maps),
        bytes_before=model_bytes(before),
        bytes_after=model_bytes(after),
        seconds_before=seconds[0],
        seconds_after=seconds[1],
        max_difference=difference,
        torch_threads=torch.get_num_threads(),
        threads=num_threads(),
    )


def model_bytes(model: nn.Module) -> int:
    """Return the bytes of all parameters and buffers, shared ones once."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclasses.dataclass(frozen=True)
class _Clock:
    repeat: int
    warmup: int

    def medians(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[float, float]:
        """Return the median seconds of both, called in turn so that noise hits both."""
        times: tuple[list[float], list[float]] = ([], [])
        for call in range(self.warmup + self.repeat):
            for run, found in zip((first, second), times, strict=True):
                start = time.perf_counter()
                run()
                if call >= self.warmup:
                    found.append(time.perf_counter() - start)
        return statistics.median(times[0]), statistics.median(times[1])


def _decide(
    place: LinearMap, inputs: list[LayerInput], layout: str, clock: _Clock
) -> tuple[MapReport, nn.Module | None]:
    """Return the figures of a map, and what replaces it, if anything does."""
    weight, bias = place.weight, place.bias
    kept, entry = int(weight.count_nonzero()), weight.element_size()
    report = MapReport(
        name=place.name,
        shape=(weight.shape[0], weight.shape[1]),
        kept=kept,
        dense_bytes=weight.numel() * entry,
        csr_bytes=kept * (entry + 4) + 4 * (weight.shape[0] + 1),
        dense_seconds=None,
        csr_seconds=None,
        layout="dense",
        reason="asked for",
    )
    if layout == "dense":
        return report, None
    if layout == "2:4":
        packed = SemiStructuredLinear(place.name, weight, bias)
        return dataclasses.replace(report, layout="2:4"), packed
    if layout == "auto":
        if weight.dtype not in (torch.float32, torch.float64):
            return dataclasses.replace(report, reason=f"no sparse kernel for {weight.dtype}"), None
        if not inputs:
            return dataclasses.replace(report, reason="the example does not call it"), None
        if has_sparse_input(inputs):
            return dataclasses.replace(report, reason="its input is sparse"), None
    sparse = CsrLinear(weight, bias)
    if inputs:
        dense, csr = clock.medians(
            lambda: [place(x) for x in inputs], lambda: [sparse(x) for x in inputs]
        )
        report = dataclasses.replace(report, dense_seconds=dense, csr_seconds=csr)
        if layout == "auto":
            chosen, word = ("csr", "faster") if csr < dense else ("dense", "slower")
            reason = f"csr is {word}: {1e3 * csr:.3f} against {1e3 * dense:.3f} ms"
            report = dataclasses.replace(report, layout=chosen, reason=reason)
            return report, sparse if chosen == "csr" else None
    return dataclasses.replace(report, layout="csr"), sparse


def _difference(before: Any, after: Any) -> float | None:
    if not isinstance(before, Tensor) or not before.numel():
        return None
    return float((before - after).abs().max())
