"""The file of a durable stream: SQLite tables of batches and snapshots, each with its check sum."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphsparse.errors import StoreDamagedError, StoreError
from graphsparse.streaming.packing import Array, checksum, chunks, describe_arrays, read_arrays

CHUNK_BYTES = 16 << 20  # SQLite limits a blob to 1 GB
_APPLICATION = 0x47537431  # "GSt1"
_WAIT = 60.0  # seconds that a reader or a checkpoint may hold a page
# Step k takes a file of version k to version k + 1; a new file takes them all.  Never edit a step
# that was released: add one.
_STEPS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE batch (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, updates INTEGER NOT NULL,
        source TEXT NOT NULL, read INTEGER NOT NULL, rejected INTEGER NOT NULL,
        fingerprint INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE TABLE snapshot (
        number INTEGER PRIMARY KEY, source TEXT NOT NULL, read INTEGER NOT NULL,
        rejected INTEGER NOT NULL, fingerprint INTEGER NOT NULL, arrays TEXT NOT NULL,
        chunks INTEGER NOT NULL, seconds REAL NOT NULL, crc INTEGER NOT NULL);
    CREATE TABLE chunk (
        number INTEGER NOT NULL, part INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (number, part));
    """,
)
SCHEMA_VERSION = len(_STEPS)


@dataclasses.dataclass(frozen=True)
class Mark:
    """Where a stream stands after a batch.

    Attributes
    ----------
    number : int
        Batches so far.
    source : any
        Offset in the source, of what JSON can hold.
    read, rejected : int
        Rows read from the source so far, and those of them that were refused.
    fingerprint : int
        Stands for the state; see :func:`graphsparse.streaming.packing.fingerprint`.
    """

    number: int
    source: Any
    read: int
    rejected: int
    fingerprint: int

    def columns(self) -> tuple[int, str, int, int, int]:
        """Return the values of the columns, the offset as JSON."""
        text = json.dumps(self.source, sort_keys=True)
        return self.number, text, self.read, self.rejected, self.fingerprint


@dataclasses.dataclass(frozen=True)
class BatchRow:
    """One batch as it is stored; ``kind`` is "batch" or "refresh"."""

    mark: Mark
    kind: str
    updates: int
    data: bytes

    def crc(self) -> int:
        """Return the check sum of all columns."""
        return checksum(*self.mark.columns(), self.kind, self.updates, self.data)


@dataclasses.dataclass(frozen=True)
class SnapshotRow:
    """The state after ``mark.number`` batches as it is stored."""

    mark: Mark
    arrays: dict[str, Array]
    seconds: float


def database_file(folder: Path) -> Path | None:
    """Return the file in use: that of the highest generation, as repairs make new ones."""
    found = {}
    for file in folder.glob("stream-*.db"):
        if match := re.fullmatch(r"stream-(\d+)\.db", file.name):
            found[int(match[1])] = file
    return found[max(found)] if found else None


def next_database_file(folder: Path) -> Path:
    """Return the name of the next generation."""
    file = database_file(folder)
    number = int(file.stem.split("-")[1]) if file else 0
    return folder / f"stream-{number + 1}.db"


class Journal:
    """An open file of a durable stream.

    Parameters
    ----------
    file : Path
        SQLite file; made when missing, unless ``reader``.
    reader : bool
        Change nothing.
    """

    def __init__(self, file: Path, *, reader: bool = False) -> None:
        self.file = file
        if reader and not file.is_file():
            raise StoreError(f"{file.parent} holds no stream; Store.create makes one")
        # Commits may come from another thread than reads: the caller takes care of the order.
        self._db = sqlite3.connect(
            file, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        if reader:
            self._db.execute("PRAGMA query_only = ON")
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 67108864")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def finish(self) -> None:
        """Close a file after moving all of it out of the write-ahead log."""
        self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()

    @property
    def version(self) -> int:
        """Version of the schema; 0 if the file holds no stream yet."""
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def check_version(self) -> None:
        """Refuse files without a stream, and those of a later version."""
        version = self.version
        if version == 0:
            raise StoreError(f"{self.file.parent} holds no stream; Store.create makes one")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.file} has schema version {version}, this graphsparse knows up to "
                f"{SCHEMA_VERSION}; use the one that wrote it, or a later one"
            )

    def migrate(self) -> None:
        """Bring the schema to the version of today; inside a transaction."""
        for step in _STEPS[self.version :]:
            for statement in filter(str.strip, step.split(";")):
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._db.execute(f"PRAGMA application_id = {_APPLICATION}")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of a block durable at its end, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Let all reads of a block see one version of the file."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Store settings, each as JSON."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def meta(self) -> dict[str, Any]:
        """Return the settings."""
        rows = self._db.execute("SELECT name, value FROM meta")
        return {name: json.loads(value) for name, value in rows}

    def add_batches(self, rows: Sequence[BatchRow]) -> None:
        """Add rows of batches."""
        values = []
        for row in rows:
            number, source, read, rejected, mark = row.mark.columns()
            values.append(
                (number, row.kind, row.updates, source, read, rejected, mark, row.crc(), row.data)
            )
        self._db.executemany("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def batch_numbers(self, *, lenient: bool = False) -> list[int]:
        """Return the numbers of the stored batches, ascending; lenient: up to damaged pages."""
        return self._numbers("batch", lenient)

    def _numbers(self, table: str, lenient: bool) -> list[int]:
        numbers: list[int] = []
        try:
            for (number,) in self._db.execute(f"SELECT number FROM {table} ORDER BY 1"):
                numbers.append(number)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            if not lenient:
                raise StoreDamagedError(
                    f"the list of {table} rows cannot be read: {error}"
                ) from error
        return numbers

    def updates_after(self, number: int) -> int:
        """Return how many updates the batches after a certain one have, as far as can be told."""
        query = "SELECT updates FROM batch WHERE number > ? ORDER BY number"
        total = 0
        with contextlib.suppress(sqlite3.DatabaseError):
            for (updates,) in self._db.execute(query, (number,)):
                total += updates
        return total

    def last_number(self, *, lenient: bool = False) -> int:
        """Return the number of the last batch or snapshot, 0 if there is none."""
        both = self.batch_numbers(lenient=lenient) + self.snapshot_numbers(lenient=lenient)
        return max(both, default=0)

    def batch(self, number: int) -> BatchRow:
        """Return one batch, verified.

        Raises
        ------
        StoreDamagedError
            If the row is missing or its check sum is another.
        """
        names = "number, source, read, rejected, fingerprint, kind, updates, data, crc"
        try:
            found = self._db.execute(f"SELECT {names} FROM batch WHERE number = ?", (number,))
            row = found.fetchone()
            if row is None:
                raise StoreDamagedError(f"batch {number} is missing", number)
            mark = Mark(row[0], json.loads(row[1]), *row[2:5])
            out = BatchRow(mark, *row[5:8])
            crc = out.crc()
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise StoreDamagedError(f"batch {number} cannot be read: {error}", number) from error
        if crc != row[8]:
            raise StoreDamagedError(
                f"batch {number} has check sum {crc:08x}, not {row[8]:08x}", number
            )
        return out

    def add_snapshot(self, mark: Mark, arrays: Mapping[str, Array], seconds: float) -> None:
        """Add a state in chunks, each with its check sum."""
        number = mark.number
        part = 0
        for part, data in enumerate(chunks(arrays.values(), CHUNK_BYTES), 1):
            row = (number, part, checksum(number, part, data), data)
            self._db.execute("INSERT INTO chunk VALUES (?, ?, ?, ?)", row)
        values = (*mark.columns(), describe_arrays(arrays), part, seconds)
        self._db.execute(
            "INSERT INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, checksum(*values))
        )

    def snapshot_numbers(self, *, lenient: bool = False) -> list[int]:
        """Return after how many batches the stored snapshots were taken, ascending."""
        return self._numbers("snapshot", lenient)

    def snapshot(self, number: int) -> SnapshotRow:
        """Return one snapshot, verified.

        Raises
        ------
        StoreDamagedError
            If it is missing, or a check sum is another.
        """
        try:
            found = self._db.execute("SELECT * FROM snapshot WHERE number = ?", (number,))
            row = found.fetchone()
            if row is None:
                raise StoreDamagedError(f"the snapshot after batch {number} is missing")
            if checksum(*row[:-1]) != row[-1]:
                raise StoreDamagedError(f"the snapshot after batch {number} has another check sum")
            arrays = read_arrays(row[5], self._joined(number, row[6]))
            mark = Mark(row[0], json.loads(row[1]), *row[2:5])
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise StoreDamagedError(
                f"the snapshot after batch {number} cannot be read: {error}"
            ) from error
        return SnapshotRow(mark, arrays, row[7])

    def _joined(self, number: int, count: int) -> bytearray:
        data = bytearray()
        for part in range(1, count + 1):
            query = "SELECT crc, data FROM chunk WHERE number = ? AND part = ?"
            row = self._db.execute(query, (number, part)).fetchone()
            if row is None or checksum(number, part, row[1]) != row[0]:
                raise StoreDamagedError(
                    f"the snapshot after batch {number} lacks part {part} of {count}, "
                    "or its check sum is another"
                )
            data += row[1]
        return data

    def prune(self, keep: Sequence[int], before: int) -> None:
        """Delete the snapshots that are not to be kept, and batches up to a number."""
        gone = [number for number in self.snapshot_numbers() if number not in keep]
        for number in gone:
            self._db.execute("DELETE FROM snapshot WHERE number = ?", (number,))
            self._db.execute("DELETE FROM chunk WHERE number = ?", (number,))
        self._db.execute("DELETE FROM batch WHERE number <= ?", (before,))
