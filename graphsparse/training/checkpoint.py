"""Checkpoints: one safetensors file whose header holds the rest as JSON.

A file is written under a temporary name, synced and renamed, so that a reader sees the old one
or the new one, whole.  Resuming gives the same bits as never having stopped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphsparse.checks import require
from graphsparse.errors import GraphsparseError
from graphsparse.training.state import Best, TrainState

FORMAT = "graphsparse-checkpoint-1"


class CheckpointError(GraphsparseError, ValueError):
    """A checkpoint is damaged or belongs to another model or optimizer."""


def write_atomic(path: str | Path, content: bytes) -> None:
    """Replace a file by ``content`` in one step, synced to disk."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write a model's parameters and buffers to a safetensors file."""
    _write(path, _own(model.state_dict()), {"format": "graphsparse-weights-1"})


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Read parameters and buffers written by :func:`save_weights` into ``model``."""
    tensors, _ = _read(path)
    _load_model(model, tensors, Path(path))


def save_checkpoint(path: str | Path, state: TrainState, *, run: str = "") -> None:
    """Write everything that :func:`load_checkpoint` needs to go on from here.

    Parameters
    ----------
    path : str or Path
        Replaced in one step if it exists.
    state : TrainState
        Model, optimizer, epoch, history, best epoch, and the state of torch's generators.
    run : str
        What :func:`checkpoint_run` tells.
    """
    tensors = {f"model.{k}": v for k, v in state.model.state_dict().items()}
    stored = state.optimizer.state_dict()
    scalars: dict[str, Any] = {}
    for index, slots in stored["state"].items():
        for key, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            elif value is not None:
                scalars[f"{index}.{key}"] = value
    tensors["rng.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    about: dict[str, Any] = {
        "epoch": state.epoch,
        "history": state.history,
        "param_groups": stored["param_groups"],
        "optimizer_scalars": scalars,
        "stateful": {name: item.state_dict() for name, item in state.stateful.items()},
    }
    if state.best is not None:
        about["best"] = {"epoch": state.best.epoch, "val": state.best.val, "test": state.best.test}
        tensors["best.logits"] = state.best.logits
        tensors.update({f"best.model.{k}": v for k, v in state.best.weights.items()})
    _write(path, _own(tensors), {"format": FORMAT, "run": run, "state": json.dumps(about)})


def checkpoint_run(path: str | Path) -> tuple[str, int]:
    """Return the run that a checkpoint is of, as it was saved, and its epoch."""
    header = _read(path, tensors=False)[1]
    _check_format(header, Path(path))
    return header.get("run", ""), int(json.loads(header["state"])["epoch"])


def load_checkpoint(path: str | Path, state: TrainState) -> None:
    """Put a state written by :func:`save_checkpoint` back, in place, generators included.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If the file is damaged or does not fit the model or the optimizer.
    """
    path = Path(path)
    tensors, header = _read(path)
    _check_format(header, path)
    about = json.loads(header["state"])
    _load_model(state.model, _part(tensors, "model."), path)
    _load_optimizer(state.optimizer, _part(tensors, "optimizer."), about, path)
    state.epoch, state.history = about["epoch"], about["history"]
    for name, item in state.stateful.items():
        if name not in about["stateful"]:
            raise CheckpointError(f"{path}: holds no state of {name!r}")
        item.load_state_dict(about["stateful"][name])
    state.best = None
    if "best" in about:
        state.best = Best(
            **about["best"],
            logits=tensors["best.logits"],
            weights=_part(tensors, "best.model."),
        )
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])


def _own(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors on the CPU that share no memory."""
    return {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _write(path: str | Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    safetensors = require("safetensors.torch", "gnn", "writing a checkpoint")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, safetensors.save(tensors, metadata=header))


def _check_format(header: dict[str, str], path: Path) -> None:
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path}: format must be {FORMAT!r}, got {header.get('format')!r}")


def _read(path: str | Path, *, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    safetensors = require("safetensors", "gnn", "reading a checkpoint")
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = list(file.keys()) if tensors else []
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path}: not a whole safetensors file ({error})") from error


def _load_model(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: does not fit the model: {error}") from error


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], about: dict[str, Any], path: Path
) -> None:
    slots: dict[int, dict[str, Any]] = {}
    for name, value in (*tensors.items(), *about["optimizer_scalars"].items()):
        index, key = name.split(".", 1)
        slots.setdefault(int(index), {})[key] = value
    try:
        optimizer.load_state_dict({"state": slots, "param_groups": about["param_groups"]})
    except ValueError as error:
        raise CheckpointError(f"{path}: does not fit the optimizer: {error}") from error
