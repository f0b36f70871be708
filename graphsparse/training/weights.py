"""Which weights of a model may be removed, and how the kernels see them."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphsparse.checks import check_choice
from graphsparse.errors import BackendError
from graphsparse.launch import cupy, is_device_array
from graphsparse.models import device_ops
from graphsparse.models.device_ops import as_cupy

Tensors = nn.Module | Tensor | Mapping[str, Tensor] | Iterable[Tensor | tuple[str, Tensor]]
INCLUDE = ("matrices", "all")


@dataclasses.dataclass(frozen=True)
class Format:
    """Bit layout of a floating-point type: its words, and what tells the values apart."""

    words: torch.dtype
    unsigned: type[np.unsignedinteger[Any]]
    infinity: int
    mantissa: int


FORMATS = {
    torch.float16: Format(torch.int16, np.uint16, 0x7C00, 10),
    torch.bfloat16: Format(torch.int16, np.uint16, 0x7F80, 7),
    torch.float32: Format(torch.int32, np.uint32, 0x7F80_0000, 23),
    torch.float64: Format(torch.int64, np.uint64, 0x7FF0_0000_0000_0000, 52),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Weight:
    """A tensor whose entries may be removed.

    Attributes
    ----------
    name : str
        Name of the parameter, or its position in the list that was given.
    tensor : Tensor
        Dense, on the CPU or a GPU, float16, bfloat16, float32 or float64.
    input_axis : int
        Axis of a matrix along which the inputs of one output neuron lie: 1 for the (out, in) of
        ``torch.nn.Linear``, 0 for (in, out).
    """

    name: str
    tensor: Tensor
    input_axis: int = 1

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.tensor.numel()

    @property
    def format(self) -> Format:
        """Bit layout of the entries."""
        return FORMATS[self.tensor.dtype]


def named_tensors(tensors: Tensors) -> list[tuple[str, Tensor]]:
    """Return (name, tensor) of everything given; a list without names is numbered."""
    if isinstance(tensors, nn.Module):
        return list(tensors.named_parameters())
    if isinstance(tensors, Tensor) or is_device_array(tensors):
        tensors = [tensors]  # type: ignore[list-item]
    if isinstance(tensors, Mapping):
        return [(name, _as_tensor(tensor)) for name, tensor in tensors.items()]
    found: list[tuple[str, Tensor]] = []
    for at, item in enumerate(tensors):
        name, tensor = item if isinstance(item, tuple) else (str(at), item)
        found.append((str(name), _as_tensor(tensor)))
    return found


def _as_tensor(array: Any) -> Any:
    """Return a CuPy array as the torch tensor of the same memory, anything else as it is."""
    if not is_device_array(array):
        return array
    try:
        return torch.utils.dlpack.from_dlpack(array)
    except (AssertionError, RuntimeError, BufferError) as error:
        raise BackendError(
            f"torch cannot use this CuPy array ({error}): install torch with CUDA, see "
            "https://pytorch.org/get-started"
        ) from error


def collect(
    tensors: Tensors, *, include: str | None = None, input_axis: int | None = None
) -> list[Weight]:
    """Return the weights that count, in the order given, each storage once.

    Parameters
    ----------
    tensors : Module, Tensor, mapping of names, or iterable of tensors or (name, tensor) pairs
        CuPy arrays count as tensors.
        A frozen parameter (``requires_grad=False``) is skipped; a plain tensor never is.
    include : {"matrices", "all"}, optional
        ``"matrices"`` takes what maps one layer to the next: two dimensions, or more if the first
        is above 1, which leaves out biases, norms, ``eps`` and attention vectors.  Left out, a
        module gives its matrices, and tensors named one by one are all taken.  What a module that
        owns a parameter names in its attribute ``no_sparsify`` is never taken.
    input_axis : {0, 1}, optional
        Where the inputs of a matrix lie.  Left out, it is what the module that owns a parameter
        says by its attribute ``input_axis``, else 1.

    Raises
    ------
    ValueError
        If no weight is left, a tensor is sparse or not initialised, or two tensors overlap.
    TypeError
        If something is no tensor of a supported floating-point type.
    BackendError
        If a tensor is neither on the CPU nor on a GPU that CuPy can use, or the weights lie on
        several devices.
    """
    module = tensors if isinstance(tensors, nn.Module) else None
    if include is None:
        include = "all" if module is None else "matrices"
    check_choice("include", include, INCLUDE)
    if input_axis not in (None, 0, 1):
        raise ValueError(f"input_axis must be 0 or 1, got {input_axis!r}")
    found: list[Weight] = []
    seen: set[Any] = set()
    for name, tensor in named_tensors(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a torch tensor, got {type(tensor).__name__}")
        if isinstance(tensor, nn.Parameter) and not tensor.requires_grad:
            continue
        _check(name, tensor, skippable=include == "matrices")
        if (include == "matrices" and not is_matrix(tensor)) or is_kept_dense(module, name):
            continue
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else id(tensor)
        if place in seen:
            continue
        seen.add(place)
        axis = _declared_axis(module, name) if input_axis is None else input_axis
        found.append(Weight(name, tensor, axis))
    if not found:
        what = "matrix" if include == "matrices" else "tensor"
        raise ValueError(f"there is no {what} to project: every parameter is frozen or left out")
    _check_overlap(found)
    devices = {str(weight.tensor.device): weight.name for weight in found}
    if len(devices) > 1:
        (a, first), (b, second) = sorted(devices.items())[:2]
        raise BackendError(
            f"weights must lie on one device, got {first} on {a} and {second} on {b}"
        )
    return found


def refuse(weight: Weight, at: int) -> None:
    """Raise ValueError: the weight at flat index ``at`` is NaN or infinite."""
    value = weight.tensor.detach().reshape(-1)[at].item()
    raise ValueError(f"{weight.name} must be finite, got {value} at flat index {at}")


def is_matrix(tensor: Tensor) -> bool:
    """Tell whether a parameter maps one layer to the next (see :func:`collect`)."""
    return tensor.dim() == 2 or (tensor.dim() > 2 and tensor.shape[0] > 1)


def is_kept_dense(module: nn.Module | None, name: str) -> bool:
    """Tell whether the owner of a parameter excludes it from sparsity and from weight decay."""
    if module is None:
        return False
    path, _, own = name.rpartition(".")
    return own in getattr(module.get_submodule(path), "no_sparsify", ())


def _check(name: str, tensor: Tensor, *, skippable: bool) -> None:
    if nn.parameter.is_lazy(tensor):
        raise ValueError(f"{name} is not initialised: run the model once before projecting it")
    if tensor.layout != torch.strided:
        raise ValueError(f"{name} must be dense, got layout {tensor.layout}")
    if skippable and not is_matrix(tensor):
        return
    if tensor.dtype not in FORMATS:
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {tensor.dtype}")
    if tensor.device.type == "cuda":
        cupy()  # says what is missing
    elif tensor.device.type != "cpu":
        raise BackendError(
            f"{name} is on {tensor.device}, but the projection runs on the CPU and on CUDA GPUs: "
            "move the model with .cpu() or project a CPU master copy"
        )


def _check_overlap(weights: list[Weight]) -> None:
    whole = [w for w in weights if w.size and w.tensor.is_contiguous()]
    whole.sort(key=lambda w: w.tensor.data_ptr())
    for a, b in itertools.pairwise(whole):
        if a.tensor.data_ptr() + a.size * a.tensor.element_size() > b.tensor.data_ptr():
            raise ValueError(f"{a.name} and {b.name} share memory, but are not one tied parameter")


def _declared_axis(module: nn.Module | None, name: str) -> int:
    if module is None:
        return 1
    owner = module.get_submodule(name.rpartition(".")[0])
    return int(getattr(owner, "input_axis", 1))


def words(tensor: Tensor) -> Any:
    """Return the bit patterns of a contiguous tensor, shape (size,), without a copy.

    A NumPy array, or a CuPy array of signed words inside ``torch_stream``.
    """
    layout = FORMATS[tensor.dtype]
    flat = tensor.detach().reshape(-1).view(layout.words)
    return as_cupy(flat) if device_ops.is_on_gpu(tensor) else flat.numpy().view(layout.unsigned)


def flags(mask: Tensor | None) -> list[Any]:
    """Return a contiguous bool tensor as the kernels take it: a list of none or one array."""
    if mask is None:
        return []
    flat = mask.reshape(-1)
    return [as_cupy(flat) if device_ops.is_on_gpu(mask) else flat.numpy()]


@contextlib.contextmanager
def kernel_view(
    weight: Weight, mask: Tensor | None, *, rows_are_outputs: bool = False
) -> Iterator[tuple[Any, list[Any]]]:
    """Open a weight and its mask for a kernel that changes them in place.

    Non-contiguous tensors, and with ``rows_are_outputs`` matrices stored (in, out), are copied and
    copied back.  Autograd is told of the change.  On an exception nothing is copied back.
    """
    turn = rows_are_outputs and weight.input_axis == 0
    tensor = weight.tensor.detach()
    source, marks = (tensor.t() if turn else tensor), mask
    if marks is not None and turn:
        marks = marks.t()
    dense = source.contiguous()
    dense_marks = None if marks is None else marks.contiguous()
    yield words(dense), flags(dense_marks)
    if dense.data_ptr() != source.data_ptr():
        source.copy_(dense)
    elif not weight.tensor.is_inference():
        torch.autograd.graph.increment_version(weight.tensor)
    if marks is not None and dense_marks is not None and dense_marks is not marks:
        marks.copy_(dense_marks)
