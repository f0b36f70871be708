"""What a run keeps on disk: its result, a checkpoint while it goes on, weights if asked for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from graphsparse.checks import require
from graphsparse.training.callbacks import Checkpoint, TensorBoardLog
from graphsparse.training.checkpoint import (
    CheckpointError,
    checkpoint_run,
    save_weights,
    write_atomic,
)
from graphsparse.training.distributed import Replicas
from graphsparse.training.state import Callback

SECONDS = 60.0  # between checkpoints, where the recipe does not ask for more
CHECKPOINT, WEIGHTS = ".ckpt.safetensors", ".weights.safetensors"


def _silent(text: str) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How runs are carried out; several replicas with dropout apart, no score depends on it.

    Parameters
    ----------
    resume : bool
        Go on from the checkpoints of runs that were stopped.
    save_weights : bool
        Keep the weights after the last epoch beside each result.
    tensorboard : Path, optional
        Folder that gets a sub-folder of event files per run.
    note : callable
        Gets one line on each checkpoint that is found.
    replicas : Replicas
        Processes that train together.  The first one writes; all read the checkpoints.
    """

    resume: bool = False
    save_weights: bool = False
    tensorboard: Path | None = None
    note: Callable[[str], None] = _silent
    replicas: Replicas = dataclasses.field(default_factory=Replicas)

    def __post_init__(self) -> None:
        if self.tensorboard is not None:
            require("tensorboard", "tensorboard", "the log for TensorBoard")


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files of one run: ``<key>.json``, and while it goes on ``<key>.ckpt.safetensors``.

    Parameters
    ----------
    folder : Path, optional
        Where they are; a run without a folder keeps nothing.
    key : str
        Name of the run.
    options : RunOptions
        What to keep, and whether to go on.
    """

    folder: Path | None = None
    key: str = ""
    options: RunOptions = dataclasses.field(default_factory=RunOptions)

    @property
    def replicas(self) -> Replicas:
        """The processes that carry the run out."""
        return self.options.replicas

    def callbacks(self, every: int) -> list[Callback]:
        """Return what saves checkpoints every so many epochs and every minute, and what logs."""
        found: list[Callback] = []
        if self.folder is not None:
            path = self._path(CHECKPOINT)
            found = [Checkpoint(path, every, seconds=SECONDS, at_end=False, run=self.key)]
        if self.options.tensorboard is not None:
            found.append(TensorBoardLog(self.options.tensorboard / self.key))
        return found

    def resume(self) -> Path | None:
        """Return the checkpoint to go on from, if there is one and the options say so.

        Raises
        ------
        CheckpointError
            If it is of another run.
        """
        if self.folder is None:
            return None
        path = self._path(CHECKPOINT)
        if not self.replicas.agree(path.exists):
            return None
        if not self.options.resume:
            self._note(
                f"{path} is left from a run that was stopped: starting anew and writing over it "
                "(--resume goes on from it)"
            )
            return None
        run, epoch = checkpoint_run(path)
        if run != self.key:
            raise CheckpointError(f"{path}: is of the run {run!r}, expected {self.key!r}")
        self._note(f"{self.key}: going on after epoch {epoch}")
        return path

    def keep(self, model: nn.Module) -> None:
        """Save the weights of the trained model if the options say so."""
        if self.folder is not None and self.options.save_weights and self.replicas.is_first:
            save_weights(model, self._path(WEIGHTS))

    def read_or_run(self, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the run whose result is there, or make it and write the result in one step."""
        path = self._path(".json")
        if self.replicas.agree(path.exists):
            run = self.replicas.agree(lambda: json.loads(path.read_text()))
            if self.options.save_weights and not self._path(WEIGHTS).exists():
                self._note(f"{path} is there without weights: delete it to run again")
        else:
            made = make()
            run = self.replicas.agree(lambda: self._write(path, made))
        if self.replicas.is_first:
            self._clean()
        return dict(run)

    def _write(self, path: Path, run: dict[str, Any]) -> dict[str, Any]:
        write_atomic(path, (json.dumps(run, indent=1) + "\n").encode())
        return run

    def _note(self, text: str) -> None:
        if self.replicas.is_first:
            self.options.note(text)

    def _clean(self) -> None:
        """Remove the checkpoint, and what writers that were killed have left of it."""
        self._path(CHECKPOINT).unlink(missing_ok=True)
        for name in (CHECKPOINT, WEIGHTS, ".json"):
            for part in self._path(name).parent.glob(f".{self.key}{name}.*.part"):
                part.unlink(missing_ok=True)

    def _path(self, suffix: str) -> Path:
        if self.folder is None:
            raise ValueError("a run without a folder has no files")
        return self.folder / f"{self.key}{suffix}"
