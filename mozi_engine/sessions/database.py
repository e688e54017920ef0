"""The SQLite file that conversations lie in: made, brought up to date, set aside when damaged.

Write-ahead logging: a transaction that was committed survives the death of the process, and readers never
wait. `secure_delete`: what is deleted is overwritten. A file that SQLite calls damaged is renamed, and a new
one begun.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mozi_engine.errors import DataError
from mozi_engine.files import unwritable
from mozi_engine.sessions.schema import MIGRATIONS

_PATIENCE = 5.0  # seconds to wait for another mozi that is writing
_SETTINGS = (
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",  # nothing is sorted in a file that would outlive a deletion
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = NORMAL",
)


class _Damaged(sqlite3.DatabaseError):
    """A check of the file found something wrong."""


class Database:
    """One connection for all threads of a process, used by one at a time.

    `path` is None for one in memory. `set_aside` is where a damaged file was moved, if one was.
    """

    def __init__(self, path: Path | None) -> None:
        """Open it. Raises DataError: it cannot be written, or a newer mozi wrote it."""
        self.path = path
        self.set_aside: Path | None = None
        self._lock = threading.RLock()
        self._connection = self._open()

    def close(self) -> None:
        """Close it; what is in the write-ahead log goes into the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is executed within happens wholly or not at all. Raises DataError."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def rows(self, query: str, *values: str | int | float | None) -> list[sqlite3.Row]:
        """What the query finds. Raises DataError."""
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def wipe_log(self) -> None:
        """Empty the write-ahead log, which still holds the words of what was deleted. Raises DataError."""
        ((busy, *_),) = self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            message = f"deleted, but another mozi keeps the old words in {self.path}-wal"
            raise DataError(message, hint="leave the other mozi, then delete again")

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return _connect(":memory:")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _make_private(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            return _connect(str(self.path))
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise _in_words(error, self.path) from error
        self.set_aside = _set_aside(self.path)
        return self._open()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors in words. A file that turns out to be damaged is set aside, and a new one begun."""
        try:
            yield
        except sqlite3.Error as error:
            if self.path is None or not _is_damage(error):
                raise _in_words(error, self.path) from error
            self._connection.close()
            self.set_aside = _set_aside(self.path)
            self._connection = self._open()
            raise damaged(self.path, self.set_aside) from error


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: halves of a character joined, a lone one replaced."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def damaged(path: Path, set_aside: Path) -> DataError:
    """What is said of a damaged file."""
    return DataError(
        f"{path} was damaged; it is now {set_aside.name}, and a new one is begun",
        hint=f"`sqlite3 {set_aside} .recover` may bring its conversations back",
    )


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        for setting in _SETTINGS:
            connection.execute(setting)
        _log_ahead(connection)
        _look_through(connection)
        _bring_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite does not wait here itself when two begin at the same time."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _look_through(connection: sqlite3.Connection) -> None:
    """Read every page: damage is better found now than in the middle of an answer."""
    ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise _Damaged(found)


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Write nothing where nothing is to be done: a store on a full disk can still be read."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[_version(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    """The version of the file's tables. Raises DataError when this mozi does not know it."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version > len(MIGRATIONS):
        raise DataError(
            f"the conversations were written by a newer mozi (version {version} of their file; "
            f"this one knows {len(MIGRATIONS)})",
            hint="update mozi, or set MOZI_HOME to begin elsewhere",
        )
    return int(version)


def _make_private(path: Path) -> None:
    """A file that only its owner reads; SQLite gives its log the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


def _set_aside(path: Path) -> Path:
    target = path.with_name(f"{path.name}.damaged-{datetime.now():%Y%m%d-%H%M%S-%f}")
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        try:
            if file.exists():
                file.replace(target.with_name(target.name + suffix))
        except OSError as error:
            raise unwritable(file, error) from error
    return target


def _is_damage(error: sqlite3.Error) -> bool:
    return isinstance(error, _Damaged) or _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of the Python module's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _in_words(error: sqlite3.Error, path: Path | None) -> DataError:
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return DataError(f"no space left to write {path}", hint="free some disk space, or set MOZI_HOME")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DataError(f"another program keeps {path} busy", hint="close it, then try again")
    return DataError(
        f"cannot use {path}: {error}", hint="check the folder's permissions and space, or set MOZI_HOME"
    )
