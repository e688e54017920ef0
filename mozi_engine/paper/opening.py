"""Opening a PDF: what was read before from the cache, and otherwise from a child process with limits.

A PDF is a program that strangers wrote. It is parsed in a process of its own, so that one that hangs,
crashes or swallows memory costs a message and not the conversation.
"""

from __future__ import annotations

import importlib.util
import json
import queue
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from mozi_engine import files
from mozi_engine.errors import DataError, PaperError, PasswordError
from mozi_engine.paper import codec
from mozi_engine.types import Paper

# -P: no module is taken from the folder that the person happens to be in.
READER = (sys.executable, "-P", "-m", "mozi_engine.paper.pdf")
_SECONDS_A_SCAN = 60  # what OCR may take for a page, on a slow machine, over and above the limit
_AGAIN = "fetch the file again, or open it in a viewer to see whether it is whole"


@dataclass(frozen=True, slots=True)
class TextRead:
    """The words are known, in a first order: enough to search."""

    paper: Paper


@dataclass(frozen=True, slots=True)
class LayoutProgress:
    """The layout of `page` of `pages` pages is known."""

    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class LayoutRead:
    """The paper as it is: columns, headings, captions, tables. Always the last event."""

    paper: Paper


Event = TextRead | LayoutProgress | LayoutRead


def read(
    path: Path,
    *,
    password: str | None = None,
    seconds: float = 120,
    gigabytes: float = 3.0,
    command: Sequence[str] = READER,
) -> Iterator[Event]:
    """Open a PDF: TextRead, LayoutProgress once a page, LayoutRead; from the cache LayoutRead alone.

    `seconds` is what reading may take, plus one a page (and more for a page that needs OCR);
    `gigabytes` is the memory it may take. Closing the iterator ends the child process. A paper that
    needed a password is not cached. Raises PaperError; a TextRead that came before it stays good.
    """
    path = files.expanded(path)
    look_at(path)
    identity = files.sha256(path)
    if cached := _cached(identity):
        yield LayoutRead(cached)
        return
    request = {"path": str(path.resolve()), "id": identity, "password": password, "gigabytes": gigabytes}
    with _Child(command, request, seconds, gigabytes) as child:
        yield from _events(child, path)


def read_all(
    path: Path, *, password: str | None = None, seconds: float = 120, gigabytes: float = 3.0
) -> Paper:
    """Open a PDF and wait for its layout. Raises PaperError."""
    *_, last = read(path, password=password, seconds=seconds, gigabytes=gigabytes)
    return cast(LayoutRead, last).paper


def cache_file(identity: str) -> Path:
    """Where the paper with this id is kept once read."""
    return files.cache_dir() / "papers" / f"{identity}-v{codec.VERSION}.json"


def look_at(path: Path) -> None:
    """Raise PaperError unless this is a file that begins like a PDF."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PaperError(f"{path} is a directory", "name one PDF in it")
        if not stat.S_ISREG(mode):  # it would be read twice: for its sha256, and by the child
            raise PaperError(f"{path} is a pipe or a device", "save the PDF as a file first")
        with path.open("rb") as file:
            head = file.read(1024)
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "check the path; a URL or arxiv:1805.02262 works too"
        raise PaperError(f"no such file: {path}", hint) from error
    except OSError as error:
        raise PaperError(f"cannot read {path}: {error.strerror}", "check its name and permissions") from error
    if not head:
        raise PaperError(f"{path} is empty", "fetch the file again")
    if b"%PDF" not in head:
        raise PaperError(f"{path} is not a PDF", "mozi reads PDF files")


def _cached(identity: str) -> Paper | None:
    try:
        paper = codec.decode(cache_file(identity).read_bytes())
    except (OSError, ValueError):
        return None
    if paper.id != identity or (paper.scanned and ocr_installed()):
        return None
    return paper


def ocr_installed() -> bool:
    """Whether one of the libraries that PyMuPDF drives to read scans is there."""
    return any(importlib.util.find_spec(name) for name in ("rapidocr", "rapidocr_onnxruntime"))


def _keep(text: str, identity: str, path: Path) -> None:
    """Cache what was read, unless the file has been written anew meanwhile, as LaTeX does.

    A cache that cannot be written costs time, the next time; not this reading.
    """
    with suppress(DataError, OSError):
        if files.sha256(path) == identity:
            with files.atomic(cache_file(identity)) as file:
                file.write(text.encode())


def _events(child: _Child, path: Path) -> Iterator[Event]:
    text, private = "", False
    for message in child.messages():
        if "opened" in message:
            private = message["private"]
            child.allow(message["opened"] + _SECONDS_A_SCAN * message["scans"])
        elif "text" in message:
            text = message["text"]
            yield TextRead(codec.decode(text))
        elif "page" in message:
            yield LayoutProgress(message["page"], message["of"])
        elif "layout" in message:
            paper = codec.decode(message["layout"] or text)
            if not private:
                _keep(message["layout"] or text, paper.id, path)
            yield LayoutRead(paper)
            return
        elif "error" in message:
            raise _reported(message)
        else:
            raise child.failed(path, message["crash"])
    raise child.failed(path)


def _reported(message: dict[str, Any]) -> PaperError:
    kind = PasswordError if message["password"] else PaperError
    return kind(message["error"], message["hint"])


class _Child:
    """The process that reads, its pipe, and its limits."""

    def __init__(
        self, command: Sequence[str], request: dict[str, Any], seconds: float, gigabytes: float
    ) -> None:
        self._command = command
        self._request = json.dumps(request) + "\n"
        self._limit = seconds
        self._gigabytes = gigabytes
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def __enter__(self) -> _Child:
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C at the terminal is for the parent to act on; it ends the child by leaving.
            start_new_session=sys.platform != "win32",
        )
        with suppress(BrokenPipeError):
            self._stdin.write(self._request.encode())
            self._stdin.flush()
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._stdin.close()

    @property
    def _stdin(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdin)

    def allow(self, seconds: float) -> None:
        """Give it so much longer."""
        self._limit += seconds

    def messages(self) -> Iterator[dict[str, Any]]:
        """What it says, until it ends. Raises PaperError when its time is up."""
        while True:
            left = self._started + self._limit - time.monotonic()
            try:
                line = self._lines.get(timeout=max(left, 0))
            except queue.Empty:
                raise PaperError(
                    f"reading stopped: it took more than {self._limit:g} s (pdf_seconds in settings.toml)",
                    "raise that limit, or try a PDF with fewer pages",
                ) from None
            if line is None:
                return
            yield json.loads(line)

    def failed(self, path: Path, cause: str = "") -> PaperError:
        """The error of a child that ended without having said everything."""
        if not cause:
            status = self._process.wait()
            cause = f"signal {-status}" if status < 0 else f"exit code {status}"
        return PaperError(
            f"reading {path.name} failed ({cause}): it is damaged, or needs more than "
            f"{self._gigabytes:g} GB of memory (pdf_gigabytes in settings.toml)",
            f"raise that limit, or {_AGAIN}",
        )

    def _listen(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                if line.endswith(b"\n"):  # a child that was killed leaves half a line
                    self._lines.put(line)
        self._lines.put(None)
