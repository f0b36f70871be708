"""Within what weights compete, and how many of them go."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from graphsparse.checks import check_choice, check_count, check_fraction
from graphsparse.training.weights import Weight

SCOPES = ("global", "layer", "row", "nm", "block")
Pair = Sequence[int]  # of two; a recipe gives a list
Override = float | Pair


@dataclasses.dataclass(frozen=True)
class Scope:
    """Within what weights compete; the parameters are those of :func:`project_l0`."""

    kind: str = "global"
    nm: Pair | None = None
    block: Pair | None = None
    min_keep_per_layer: int = 0
    overrides: Mapping[str, Override] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("scope", self.kind, SCOPES)
        check_count("min_keep_per_layer", self.min_keep_per_layer)
        for name, pair in (("nm", self.nm), ("block", self.block)):
            if (pair is not None) != (self.kind == name):
                raise ValueError(
                    f"{name} and scope={name!r} go together, got {name}={pair!r} "
                    f"with scope={self.kind!r}"
                )
        if self.nm is not None:
            check_nm("nm", self.nm)
        if self.block is not None:
            for side in _pair("block", self.block):
                check_count("block", side, low=1)
        if self.min_keep_per_layer and self.kind != "global":
            raise ValueError(f"min_keep_per_layer is for scope='global', got scope={self.kind!r}")
        for name, own in self.overrides.items():
            if self.kind == "nm" and own != 1.0:
                check_nm(f"overrides[{name!r}]", own)  # type: ignore[arg-type]
            else:
                check_fraction(f"overrides[{name!r}]", own)  # type: ignore[arg-type]

    def check_weights(self, weights: list[Weight]) -> None:
        """Raise ValueError if the scope does not fit the weights."""
        names = {weight.name for weight in weights}
        unknown = sorted(set(self.overrides) - names)
        if unknown:
            raise ValueError(f"overrides names {unknown[0]!r}, but the weights are {sorted(names)}")
        for weight in weights:
            if self.kind in ("row", "nm", "block") and weight.tensor.dim() != 2:
                raise ValueError(
                    f"scope={self.kind!r} needs matrices, got {weight.name} of shape "
                    f"{tuple(weight.tensor.shape)}"
                )
        kinds = {str(weight.tensor.dtype): weight.name for weight in weights}
        if self.kind == "global" and len(kinds) > 1:
            (a, first), (b, second) = sorted(kinds.items())[:2]
            raise ValueError(
                f"scope='global' needs weights of one type, got {a} in {first} and {b} in "
                f"{second}: use scope='layer' or project them apart"
            )


def _pair(name: str, value: Pair) -> Pair:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair of integers, got {value!r}")
    return value


def check_nm(name: str, value: Pair) -> None:
    """Raise unless ``value`` is (n, m) with 1 <= n <= m."""
    n, m = _pair(name, value)
    check_count(f"{name}[1]", m, low=1)
    check_count(f"{name}[0]", n, low=1, high=m)


def num_removed(keep: float, size: int) -> int:
    """Return ``ceil((1 - keep) * size - 1e-6)``: weights removed of ``size``."""
    return min(size, max(0, math.ceil((1.0 - keep) * size - 1e-6)))


def final_keep(keep: float | None, scope: Scope) -> float:
    """Return the checked ``keep``; scope ``"nm"`` must not have one and gets 1."""
    if scope.kind == "nm":
        if keep is not None:
            raise ValueError(f"scope='nm' keeps n of m and takes no keep, got {keep}")
        return 1.0
    if keep is None:
        raise ValueError(f"scope={scope.kind!r} needs keep, got None")
    return check_fraction("keep", keep)
