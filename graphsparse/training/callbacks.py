"""Early stopping, checkpoints and the JSON-lines log."""

from __future__ import annotations

import json
from pathlib import Path

from graphsparse.checks import check_count
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
        return state.best is not None and state.epoch - state.best.epoch >= self.patience


class Checkpoint(Callback):
    """Save the whole state every few epochs and at the end.

    Parameters
    ----------
    path : str or Path
        The file; each save replaces it in one step.
    every : int
        Epochs between saves.
    """

    def __init__(self, path: str | Path, every: int = 50) -> None:
        self.path, self.every = Path(path), check_count("every", every, low=1)
        self._saved = -1

    def on_epoch(self, state: TrainState) -> bool:
        """Save if it is time."""
        if state.epoch % self.every == 0:
            self._save(state)
        return False

    def on_end(self, state: TrainState) -> None:
        """Save the final state."""
        if self._saved != state.epoch:
            self._save(state)

    def _save(self, state: TrainState) -> None:
        save_checkpoint(self.path, state)
        self._saved = state.epoch


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
            **{name: values[-1] for name, values in state.history.items()},
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return False
