"""Early stopping, checkpoints, the JSON-lines log and the one of TensorBoard."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from graphsparse.checks import check_count, require
from graphsparse.training.checkpoint import save_checkpoint, write_atomic
from graphsparse.training.state import Callback, TrainState


class EarlyStopping(Callback):
    """Stop when the best validation score is ``patience`` epochs old.

    Parameters
    ----------
    patience : int
        At least 1.
    """

    def __init__(self, patience: int) -> None:
        self.patience = check_count("patience", patience, low=1)

    def on_epoch(self, state: TrainState) -> bool:
        """Tell whether the patience is used up."""
        return self.is_over(state)

    def is_over(self, state: TrainState) -> bool:
        """Tell whether the patience was used up already."""
        return state.best is not None and state.epoch - state.best.epoch >= self.patience


class Checkpoint(Callback):
    """Save the whole state every few epochs, after some time, and at the end.

    Parameters
    ----------
    path : str or Path
        The file; each save replaces it in one step.
    every : int
        Epochs between saves; 0: none by their number.
    seconds : float, optional
        Save after the first epoch that ends so long after the last save, too.
    at_end : bool
        Save after the last epoch.
    run : str
        What the run is called; :func:`checkpoint_run` tells it.
    """

    def __init__(
        self,
        path: str | Path,
        every: int = 50,
        *,
        seconds: float | None = None,
        at_end: bool = True,
        run: str = "",
    ) -> None:
        self.path, self.every = Path(path), check_count("every", every)
        self.seconds, self.at_end, self.run = seconds, at_end, run
        self._saved, self._time = -1, time.monotonic()

    def on_start(self, state: TrainState) -> None:
        """Start the clock."""
        self._time = time.monotonic()

    def on_epoch(self, state: TrainState) -> bool:
        """Save if it is time."""
        late = self.seconds is not None and time.monotonic() - self._time >= self.seconds
        if late or (self.every and state.epoch % self.every == 0):
            self._save(state)
        return False

    def on_end(self, state: TrainState) -> None:
        """Save the final state."""
        if self.at_end and self._saved != state.epoch:
            self._save(state)

    def _save(self, state: TrainState) -> None:
        save_checkpoint(self.path, state, run=self.run)
        self._saved, self._time = state.epoch, time.monotonic()


class JsonLog(Callback):
    """Append one JSON object per epoch to a file.

    Parameters
    ----------
    path : str or Path
        The file.  A run from the start empties it; a resumed run keeps the lines up to its epoch.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def on_start(self, state: TrainState) -> None:
        """Drop the lines of epochs that will be run again."""
        kept: list[str] = []
        if state.epoch and self.path.exists():
            for line in self.path.read_text().splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line)["epoch"] <= state.epoch:
                    kept.append(line)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, "".join(kept).encode())

    def on_epoch(self, state: TrainState) -> bool:
        """Write the epoch's line."""
        line = {
            "epoch": state.epoch,
            **{name: values[-1] for name, values in state.history.items() if values},
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return False


class TensorBoardLog(Callback):
    """Write the figures of every epoch for TensorBoard (extra ``tensorboard``).

    Parameters
    ----------
    folder : str or Path
        Gets the event files.  What other runs have left there for the same epochs is hidden.

    Raises
    ------
    MissingDependencyError
        If the package ``tensorboard`` is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        require("tensorboard", "tensorboard", "the log for TensorBoard")
        self.folder = Path(folder)
        self._writer: Any = None

    def on_start(self, state: TrainState) -> None:
        """Open an event file."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=state.epoch + 1)

    def on_epoch(self, state: TrainState) -> bool:
        """Write the epoch's figures through to the file."""
        for name, values in state.history.items():
            if values:
                self._writer.add_scalar(name, values[-1], state.epoch)
        self._writer.flush()
        return False

    def on_end(self, state: TrainState) -> None:
        """Close the file."""
        self._writer.close()
