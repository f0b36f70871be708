"""Files from the network: TLS verified, checksums, whole or not at all, never when offline."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from graphsparse.errors import DownloadError

TIMEOUT = 15.0  # seconds without an answer
_CHUNK = 1 << 20
_log = logging.getLogger("graphsparse")


def is_offline(offline: bool | None) -> bool:
    """Tell whether the network must not be used: ``offline``, or ``GRAPHSPARSE_OFFLINE``."""
    if offline is not None:
        return offline
    return os.environ.get("GRAPHSPARSE_OFFLINE", "").lower() not in ("", "0", "false", "no")


def fetch(
    url: str, folder: Path, *, name: str | None = None, sha256: str | None, offline: bool
) -> Path:
    """Return a file of ``folder``, downloaded if it is not there.

    Parameters
    ----------
    url : str
        ``http`` is turned into ``https``; the server's certificate is verified.
    folder : Path
        Made if missing.  The file appears in it when it is complete, never before.
    name : str, optional
        File name; the last part of the address when left out.
    sha256 : str or None
        What the downloaded bytes must hash to, where it is known.
    offline : bool
        Refuse to use the network.

    Raises
    ------
    DownloadError
        If the network is not to be used or does not answer, or the checksum is another.
    """
    url = url.replace("http://", "https://", 1)
    path = folder / (name or url.split("?")[0].rsplit("/", 1)[-1])
    if path.is_file():
        return path
    if offline:
        raise DownloadError(
            f"{path} is not there and the network is not to be used (offline=True or "
            f"GRAPHSPARSE_OFFLINE): fetch {url} elsewhere and put it there"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _log.info("downloading %s", url)
    handle, part = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as out:
            found = _copy(url, out)
        if sha256 is not None and found != sha256:
            raise DownloadError(f"{url}: its SHA-256 must be {sha256}, got {found}; not kept")
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
    return path


def remove_empty(folder: Path, stop: Path) -> None:
    """Remove ``folder`` and its empty sub-folders, then its empty parents below ``stop``."""
    if folder.is_dir():
        for child in sorted(folder.rglob("*"), reverse=True):
            if child.is_dir() and not any(child.iterdir()):
                child.rmdir()
    while folder != stop and stop in folder.parents:
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent


def _copy(url: str, out: BinaryIO) -> str:
    """Copy what an address answers; return its SHA-256."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(
            f"{url} cannot be had ({reason}); without a network, point root= or GRAPHSPARSE_DATA "
            "to a folder that holds the data set"
        ) from error
    return digest.hexdigest()
