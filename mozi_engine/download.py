"""Files over HTTP that can be stopped at any byte and go on from there."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from mozi_engine import files
from mozi_engine.errors import DataError, ModelError, SettingsError
from mozi_engine.files import unwritable
from mozi_engine.types import Progress

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BACKOFF = (0.5, 1.0, 2.0, 4.0)  # seconds before each new try that follows one without progress
SPARE = 64 * 1024 * 1024  # bytes of disk that a download leaves free
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
FAILURES = (httpx.RequestError, httpx.InvalidURL)  # all that asking may come to; the second is no HTTPError


class Unavailable(ModelError):
    """A source cannot give the file; another one may."""


class _Interrupted(Exception):
    """The transfer stopped in a way that a new request can mend."""


def client(token: str = "") -> httpx.Client:
    """An HTTP client that follows redirects; proxies and SSL_CERT_FILE are taken from the environment.

    The token is sent to the first host only, never to where it redirects. Raises SettingsError when
    the proxy or the token cannot be used.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "mozi"}
    if not token.isascii():
        raise SettingsError("the key or token in the environment is not ASCII", hint="copy it once more")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        return httpx.Client(headers=headers, follow_redirects=True, timeout=TIMEOUT)
    except (ImportError, ValueError) as error:
        hint = "see HTTPS_PROXY and ALL_PROXY; for a SOCKS proxy: pip install 'httpx[socks]'"
        raise SettingsError(f"the proxy in the environment cannot be used: {error}", hint=hint) from error


def fetch(http: httpx.Client, url: str, part: Path, label: str, size: int = 0) -> Iterator[Progress]:
    """Bring `url` into the file `part`, going on from what it already holds.

    `size` is the length in bytes where it is known, else 0. A connection that is cut or stalls is taken
    up again; a server that ignores ranges, or whose file has changed (ETag), starts from the beginning.
    Closing the iterator keeps `part`. Raises Unavailable when this server cannot give the file, and
    DataError when the disk is full.
    """
    began = failures = 0
    while not (size and length(part) == size):
        before = length(part)
        try:
            yield from _stream(http, url, part, label, size)
            if not size or length(part) == size:
                break
            raise _Interrupted(f"{length(part)} of {size} bytes came")
        except (httpx.TransportError, _Interrupted) as error:
            moved = length(part) > before
            began, failures = began + moved, 0 if moved else failures + 1
            # A host that was never reached is left for the next source at once.
            if failures > len(BACKOFF) or (
                not began and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            ):
                raise unreachable(url, error) from error
            time.sleep(BACKOFF[max(failures - 1, 0)])
        except FAILURES as error:
            raise unreachable(url, error) from error
    _etag_file(part).unlink(missing_ok=True)


def _stream(http: httpx.Client, url: str, part: Path, label: str, size: int) -> Iterator[Progress]:
    headers = _resume_headers(part)
    with http.stream("GET", url, headers=headers) as response:
        start = _start(response, part)
        told = response.headers.get("Content-Length")
        total = start + int(told) if told else None
        if size and total and total != size:
            raise Unavailable(f"{host(url)} has {total:,} bytes of {label}, not {size:,}")
        require_space(part, (size or total or 0) - start)
        with appending(part, start) as file:
            _remember_etag(part, response)
            done = start
            for piece in response.iter_raw():
                file.write(piece)
                done += len(piece)
                yield Progress(label, done, size or total, "bytes")


def _resume_headers(part: Path) -> dict[str, str]:
    if not length(part):
        return {}
    headers = {"Range": f"bytes={length(part)}-"}
    etag = _etag_file(part)
    if etag.exists():
        headers["If-Range"] = etag.read_text("ascii")
    return headers


def _start(response: httpx.Response, part: Path) -> int:
    """The byte of the file that the response's body begins at."""
    status = response.status_code
    if status == 206:
        start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if start == str(length(part)):
            return int(start)
    if status in (206, 416):
        part.unlink(missing_ok=True)
        raise _Interrupted(f"{host(str(response.url))} answers a range with another ({status})")
    if status == 429 or status >= 500:
        raise _Interrupted(f"{host(str(response.url))} answers {status}")
    check(response)
    return 0


def check(response: httpx.Response) -> None:
    """Raise Unavailable, with what to do about it, unless the request succeeded."""
    status, name = response.status_code, host(str(response.url))
    if status in (401, 403):
        hint = "the model may need its licence accepted on the hub, and HF_TOKEN set"
        raise Unavailable(f"{name} refuses access ({status})", hint=hint)
    if status == 404:
        raise Unavailable(f"{name} has no {response.url.path} (404)")
    if not response.is_success:
        raise Unavailable(f"{name} answers {status}")


def unreachable(url: str, error: Exception) -> Unavailable:
    """The error of a server that does not answer, or not to the end."""
    kind = "too slow" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    hint = "check the network, then run the command again: it goes on where it stopped"
    if "CERTIFICATE_VERIFY_FAILED" in kind:
        hint = "where the network has certificates of its own, set SSL_CERT_FILE to them"
    return Unavailable(f"{host(url)} cannot be reached ({kind})", hint=hint)


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Requests that begin at `url`: raises Unavailable where one of them gets no answer."""
    try:
        yield
    except FAILURES as error:
        raise unreachable(url, error) from error


def reach(url: str) -> None:
    """Raise Unavailable unless the host answers, whatever it says."""
    with client() as http, asking(url):
        http.head(url, follow_redirects=False)


def host(url: str) -> str:
    """The host alone: a URL may hold a password."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return url.rpartition("@")[2]


def length(path: Path) -> int:
    """Bytes in the file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def require_space(path: Path, needed: int) -> None:
    """Raise DataError unless `needed` bytes and some to spare are free where `path` lies."""
    free, wanted = shutil.disk_usage(path.parent).free, needed + SPARE
    if needed > 0 and wanted > free:
        raise DataError(
            f"the disk of {path.parent} is full: {files.size(wanted)} needed, {files.size(free)} free",
            hint="free some space, or set MOZI_HOME to another disk; what has come so far is kept",
        )


@contextmanager
def appending(part: Path, start: int) -> Iterator[IO[bytes]]:
    """The file, cut to `start` bytes and open for writing there.

    What was written before a failure stays: it is always a beginning of the whole.
    """
    try:
        part.touch()
        with part.open("r+b") as file:
            file.truncate(start)
            file.seek(start)
            yield file
    except OSError as error:
        raise unwritable(part, error) from error


def _remember_etag(part: Path, response: httpx.Response) -> None:
    etag = response.headers.get("ETag", "")
    if etag.startswith('"') and etag.isascii():  # weak ones (W/"...") cannot vouch for a range
        _etag_file(part).write_text(etag, "ascii")
    else:
        _etag_file(part).unlink(missing_ok=True)


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def settle(part: Path, path: Path) -> None:
    """Give the finished file its name, once its bytes are on the disk."""
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def alone(lock: Path, name: str) -> Iterator[None]:
    """Hold the lock file, so that two mozis never write the same model; it is let go even when killed.

    Raises ModelError, naming the other process, when it is held.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+")
    except OSError as error:
        raise unwritable(lock, error) from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            message = f"another mozi (process {holder}) is at work on {name}"
            raise ModelError(message, hint="wait until it has finished, then try again") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        file.seek(1 << 30)  # beyond the text, which stays readable
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
