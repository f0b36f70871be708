"""The k largest of many keys on the GPU, found without asking the host.

Results of :class:`Ranking` stay on the device until they are fetched, so a caller that needs no
number, only the mask or the zeroed words, never waits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphsparse.launch import BLOCK, MAX_GRID, cupy, launch

_DIGIT_BITS = 11
_CHUNK = 4096  # kChunk of radix.cu
_COUNTING = 1024  # blocks that count: each one adds its bins to the same 2,048 at the end
_EARLY = 2  # digits found over all keys; what agrees with them is copied out
_WORDS = {2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}
_ALL_ONES = 2**64 - 1
_TABLE, _PIECE, _STATE = 6, 6, 7  # words of PieceTable, Piece, Selection


def _shifts(bits: int) -> list[int]:
    """Return the shifts of the digits from the top; the last one may overlap."""
    return [*range(bits - _DIGIT_BITS, 0, -_DIGIT_BITS), 0]


class Ranking:
    """Keys in several arrays ranked as one vector; among equal ones the lower place first.

    Parameters
    ----------
    arrays : list of CuPy arrays, at least one
        Contiguous, of one word size.
    key : {"SameKey", "Magnitude"}
        What orders them: the unsigned words, or floats in them by absolute value.
    infinity : int
        Keys from here on are not finite numbers.
    masks : list of CuPy arrays of bool, optional
        One per array, written by :meth:`zero`.
    """

    def __init__(
        self, arrays: list[Any], key: str, infinity: int = _ALL_ONES, masks: list[Any] | None = None
    ) -> None:
        self._arrays, self._masks = arrays, masks or []  # alive as long as their addresses
        self._word = _WORDS[arrays[0].dtype.itemsize]
        self._type = f"{self._word}, gs::{key}"
        self._bits = 8 * arrays[0].dtype.itemsize
        sizes = [int(array.size) for array in arrays]
        self.size = sum(sizes)
        self._firsts = np.cumsum([0, *sizes])
        chunks = np.cumsum([0, *(-(-size // _CHUNK) for size in sizes)])
        self._grid = int(min(max(1, chunks[-1]), MAX_GRID))
        room = self.size // 8 + 1024
        table = np.zeros(_TABLE + _PIECE * len(arrays), np.uint64)
        table[:5] = (len(arrays), chunks[-1], self.size, room, infinity)
        pieces = table[_TABLE:].reshape(-1, _PIECE)
        pieces[:, 0] = [array.data.ptr for array in arrays]
        pieces[:, 1], pieces[:, 2], pieces[:, 3] = sizes, self._firsts[:-1], chunks[:-1]
        pieces[:, 4] = [mask.data.ptr for mask in self._masks] or 0
        self._table = table
        self._room = room
        self._state: Any = None

    @classmethod
    def of_keys(cls, keys: Any) -> Ranking:
        """Return the ranking of one uint64 array."""
        return cls([keys], "SameKey")

    def find(self, k: int) -> Ranking:
        """Queue the search for the cut below the ``k`` largest; return the ranking itself."""
        module, digits = cupy(), _shifts(self._bits)
        # Table, state and the counters of zero() go up in one copy.
        start = [0, 0, 0, 0, k, 0, _ALL_ONES]
        if k <= 0:
            start[:4] = [_ALL_ONES] * 4
        kept = np.zeros(len(self._arrays), np.uint64)
        sent = module.asarray(np.concatenate((self._table, np.array(start, np.uint64), kept)))
        table, self._state = sent[: len(self._table)], sent[len(self._table) :]
        self._on_device = table
        if self.size == 0:
            return self
        bins = module.zeros(1 << _DIGIT_BITS, np.uint64)
        if not 0 < k < self.size:  # nothing to find, but words may not be finite
            self._state[1] = 0
            self._histogram(bins, None, digits[0])
            return self
        held = module.empty(2 * self._room, np.uint64)
        for number, shift in enumerate(digits):
            if number == _EARLY:
                self._hold(held)
            self._digit(bins, held, shift, False, number >= _EARLY)
        if len(digits) == _EARLY:
            self._hold(held)
        for shift in _shifts(max(self.size - 1, 1).bit_length()):
            self._digit(bins, held, shift, True, True)
        return self

    def _hold(self, held: Any) -> None:
        arguments = (self._on_device, self._state, held)
        launch("radix.cu", f"hold_kernel<{self._type}>", 0, *arguments, grid=self._grid)

    def _histogram(
        self, bins: Any, held: Any, shift: int, of_place: bool = False, later: bool = False
    ) -> None:
        launch(
            "radix.cu",
            f"digit_histogram_kernel<{self._type}>",
            0,
            *(self._on_device, bins if held is None else held, self._state, np.int32(shift)),
            *(np.bool_(of_place), np.bool_(later), bins),
            grid=min(self._grid, _COUNTING),
        )

    def _digit(self, bins: Any, held: Any, shift: int, of_place: bool, later: bool) -> None:
        self._histogram(bins, held, shift, of_place, later)
        arguments = (bins, np.int32(shift), np.bool_(of_place), self._state)
        launch("radix.cu", "pick_digit_kernel", BLOCK, *arguments)

    def threshold(self) -> int:
        """Return the k-th largest key; waits for the device."""
        return int(self._state[0])

    def mask(self, out: Any = None) -> Any:
        """Return which keys are chosen, bool of shape (size,); written to ``out`` if given."""
        if out is None:
            out = cupy().empty(self.size, np.bool_)
        if self.size:
            arguments = (self._on_device, self._state, out)
            launch("radix.cu", f"choose_kernel<{self._type}>", 0, *arguments, grid=self._grid)
        return out

    def zero(self, dry: bool) -> Ranking:
        """Queue the zeroing of what is not chosen; count only if ``dry``.

        Nothing is changed if a word is not finite; :meth:`result` tells.
        """
        if self.size:
            launch(
                "radix.cu",
                f"zero_kernel<{self._word}>",
                0,
                *(self._on_device, self._state, np.bool_(dry), self._state[_STATE:]),
                grid=self._grid,
            )
        return self

    @property
    def status(self) -> Any:
        """What :meth:`read_result` reads, on the device: uint64 of shape (1 + arrays,)."""
        return self._state[_STATE - 1 :]

    def read_result(self, status: Any) -> tuple[int, int, list[int]]:
        """Return (array, position, kept) from a copy of :attr:`status` on the host.

        The array and position of the first word that is not finite, or -1 and -1; how many
        words each array keeps.
        """
        bad, *kept = (int(value) for value in status)
        if bad == _ALL_ONES:
            return -1, -1, kept
        piece = int(np.searchsorted(self._firsts, bad, side="right")) - 1
        return piece, bad - int(self._firsts[piece]), []

    def result(self) -> tuple[int, int, list[int]]:
        """Return :meth:`read_result` of now; waits for the device."""
        return self.read_result(self.status.get())
