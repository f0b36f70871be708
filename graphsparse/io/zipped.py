"""Arrays of an .npz file, none of them larger than the file can justify."""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from graphsparse.errors import GraphFormatError
from graphsparse.io.streams import source_name

FREE_BYTES = 32 << 20
MOST_TIMES = 32  # bytes of arrays per byte of file beyond that


def load_arrays(source: str | os.PathLike[str] | BinaryIO) -> dict[str, Any]:
    """Return the arrays of an .npz file; nothing in it is ever unpickled.

    Raises
    ------
    GraphFormatError
        If it is no whole .npz file, holds objects, or declares arrays far larger than itself.
    """
    name = source_name(source)
    try:
        with zipfile.ZipFile(source) as archive:
            _check_sizes(archive)
            return {
                member.filename.removesuffix(".npy"): _load_member(archive, member)
                for member in archive.infolist()
            }
    except GraphFormatError as error:
        raise GraphFormatError(f"{name}: {error}") from None
    except OSError as error:
        if error.filename is not None:
            raise  # no such file, no permission
        raise GraphFormatError(f"{name}: expected a whole .npz file ({error})") from error
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError),
        *(KeyError, TypeError, AttributeError, IndexError, OverflowError, SyntaxError, MemoryError),
    ) as error:
        raise GraphFormatError(f"{name}: expected a whole .npz file ({error})") from error


def _check_sizes(archive: zipfile.ZipFile) -> None:
    file = archive.fp
    assert file is not None
    file.seek(0, os.SEEK_END)
    most = FREE_BYTES + MOST_TIMES * file.tell()
    total = sum(member.file_size for member in archive.infolist())
    if total > most:
        raise GraphFormatError(
            f"expected at most {most} bytes of arrays in a file of this size, got {total} declared"
        )


def _load_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    what = f"array {member.filename!r}"
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise GraphFormatError(f"{what}: expected .npy version 1.0 or 2.0, got {version}")
        if dtype.hasobject:
            raise GraphFormatError(f"{what}: expected numbers, got Python objects")
        wanted = math.prod(map(int, shape)) * dtype.itemsize
        if not 0 <= wanted <= member.file_size:
            raise GraphFormatError(
                f"{what}: its header declares {wanted} bytes, the file holds {member.file_size}"
            )
        data = file.read(wanted)
        if len(data) != wanted or file.read(1):
            raise GraphFormatError(f"{what}: expected {wanted} bytes, got {len(data)} or more")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
