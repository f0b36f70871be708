"""The linear maps of a model: where they are, what goes through them, how to replace one."""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphsparse.models.layers import LayerInput, transform
from graphsparse.models.sparse import SparseMatrix

# Their fast paths reach into the weights of their children.
_REACH_IN = (nn.TransformerEncoderLayer, nn.MultiheadAttention)


class Holder(nn.Module):
    """Holds a model, so that a model which is itself a linear map can be replaced too."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMap:
    """One linear map of a model.

    Attributes
    ----------
    name : str
        Name of its weight in the model.
    owner, attribute : Module, str
        What refers to the map: a layer, or a weight stored (in, out).
    parameter : Tensor
        The weight as it is stored.
    bias : Tensor or None
    turned : bool
        Whether the weight is stored (in, out).
    """

    name: str
    owner: nn.Module
    attribute: str
    parameter: Tensor
    bias: Tensor | None
    turned: bool

    @property
    def weight(self) -> Tensor:
        """The weight as (out, in)."""
        return self.parameter.detach().t() if self.turned else self.parameter.detach()

    def __call__(self, x: LayerInput) -> Tensor:
        """Return what the model computes for ``x`` now."""
        if self.turned:
            return transform(x, self.parameter)
        return F.linear(x, self.parameter, self.bias)  # type: ignore[arg-type]

    def replace(self, module: nn.Module) -> None:
        """Put a module in the place of the map."""
        if self.turned:
            del self.owner._parameters[self.attribute]
        setattr(self.owner, self.attribute, module)


def linear_maps(holder: Holder) -> Iterator[LinearMap]:
    """Yield the maps of the held model: linear layers, and matrices that are stored (in, out).

    A layer that says ``input_axis = 0`` must send its matrices through
    :func:`graphsparse.models.layers.transform`.
    """
    kinds: tuple[type, ...] = (nn.Linear,)
    if "torch_geometric" in sys.modules:
        from torch_geometric.nn.dense.linear import Linear

        kinds = (nn.Linear, Linear)
    for path, owner in holder.named_modules():
        for name, child in owner.named_children():
            if type(child) in kinds and not isinstance(owner, _REACH_IN):
                full = f"{path}.{name}.weight".removeprefix(".").removeprefix("model.")
                yield LinearMap(full, owner, name, child.weight, child.bias, False)
        if getattr(owner, "input_axis", 1) == 0:
            for name, parameter in list(owner.named_parameters(recurse=False)):
                if parameter.dim() == 2:
                    full = f"{path}.{name}".removeprefix("model.")
                    yield LinearMap(full, owner, name, parameter, None, True)


class _Probe(nn.Module):
    def __init__(self, place: LinearMap, seen: list[LayerInput]) -> None:
        super().__init__()
        self.place, self.seen, self.shape = place, seen, place.parameter.shape

    def forward(self, x: LayerInput) -> Tensor:
        self.seen.append(x)
        return self.place(x)


def inputs_of_maps(model: nn.Module, example: tuple[Any, ...]) -> dict[str, list[LayerInput]]:
    """Call a copy of the model; return what each of its maps was given, by name."""
    holder = Holder(copy.deepcopy(model).eval())
    seen: dict[str, list[LayerInput]] = {}
    for place in list(linear_maps(holder)):
        seen[place.name] = []
        place.replace(_Probe(place, seen[place.name]))
    with torch.no_grad():
        holder.model(*example)
    return seen


def has_sparse_input(inputs: list[LayerInput]) -> bool:
    """Tell whether a map was given a sparse matrix."""
    return any(isinstance(x, SparseMatrix) for x in inputs)
