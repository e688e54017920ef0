"""Where things live on disk, and how they get there whole."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import platformdirs

from mozi_engine.errors import DataError


def config_dir() -> Path:
    """The user's settings and catalogue. `MOZI_HOME` puts everything of mozi's under one folder."""
    home = os.environ.get("MOZI_HOME")
    return Path(home, "config") if home else platformdirs.user_config_path("mozi", appauthor=False)


def cache_dir() -> Path:
    """What can be made again: parsed papers, embeddings, downloads."""
    home = os.environ.get("MOZI_HOME")
    return Path(home, "cache") if home else platformdirs.user_cache_path("mozi", appauthor=False)


def data_dir() -> Path:
    """What cannot be made again cheaply: models, conversations."""
    home = os.environ.get("MOZI_HOME")
    return Path(home, "data") if home else platformdirs.user_data_path("mozi", appauthor=False)


@contextmanager
def atomic(path: Path, *, synced: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears at `path` whole or not at all.

    Where it is `synced`, that holds for a machine that loses its power too: the bytes reach the disk before
    the name does, which waits for all that was written shortly before. Raises DataError when the disk is
    full or the folder cannot be written to.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if synced:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = ""
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> DataError:
    """The error of a write that failed, with what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(f"no space left to write {path}", hint="free some disk space, or set MOZI_HOME")
    reason = error.strerror or str(error)
    return DataError(
        f"cannot write {path}: {reason}", hint="check the folder's permissions, or set MOZI_HOME"
    )


def expanded(path: str | Path) -> Path:
    """The path with its ~ made a home folder; a name that only begins with ~, like ~draft.pdf, stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def weight(folder: Path) -> int:
    """The bytes of all files in the folder; 0 where there is no folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def size(count: int) -> str:
    """A number of bytes as people write it: 1.1 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
