"""Pictures of a PDF's pages, from a child process with limits that keeps the document open.

As in `opening`, a PDF that hangs, crashes or swallows memory costs a message and not the conversation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from mozi_engine import files
from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.types import Box

RENDERER = (sys.executable, "-P", "-m", "mozi_engine.paper.rendering")
_HINT = "read its text instead"


@dataclass(frozen=True, slots=True)
class Highlight:
    """A box to draw over, and why: cited, found by a search, or the place found that is looked at now."""

    box: Box
    kind: Literal["mark", "match", "current"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw: a page fitted into a canvas of so many pixels, white below it, and of that a crop.

    `canvas` is width and height; `crop` is left, top, right and bottom. `form` is that of the bytes: three
    a pixel, row by row, or a sixel sequence for a terminal.
    """

    page: int
    canvas: tuple[int, int]
    crop: tuple[int, int, int, int]
    highlights: tuple[Highlight, ...] = ()
    form: Literal["rgb", "sixel"] = "rgb"


class Pictures:
    """A PDF that can be drawn. Its process starts with the first call, and again after a crash.

    The methods block, and may be called from any thread: one request is answered at a time. They raise
    PaperError: for a file that cannot be opened, and for a page that cannot be drawn in `seconds` and
    `gigabytes`.
    """

    def __init__(
        self,
        path: Path,
        password: str | None = None,
        *,
        seconds: float = 20,
        gigabytes: float = 3.0,
        command: Sequence[str] = RENDERER,
    ) -> None:
        self._path = files.expanded(path)
        self._opening = {"path": str(self._path.resolve()), "password": password, "gigabytes": gigabytes}
        self._seconds = seconds
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._sizes: tuple[tuple[float, float], ...] = ()
        self._closed = False
        self._lock = threading.Lock()

    def sizes(self) -> tuple[tuple[float, float], ...]:
        """Width and height of every page, in points."""
        with self._lock:
            if not self._sizes:
                self._running()
            return self._sizes

    def draw(self, drawing: Drawing) -> bytes:
        """The picture's bytes. A process that crashes is started once more before the page is given up."""
        with self._lock:
            answer = self._asked(self._running(), _request(drawing)) or self._asked(
                self._running(), _request(drawing)
            )
        if answer is None:
            raise PaperError(f"page {drawing.page} cannot be drawn: it crashes the renderer", _HINT)
        if "crash" in answer[0]:
            raise PaperError(f"page {drawing.page} cannot be drawn ({answer[0]['crash']})", _HINT)
        return answer[1]

    def close(self) -> None:
        """End the process; a call under way, in another thread, raises PaperError."""
        self._closed = True
        self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise PaperError(f"{self._path.name} has been closed")
        if self._process is None or self._process.poll() is not None:
            self._process = self._started()
        return self._process

    def _started(self) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C at the terminal is for the parent to act on; it ends the child by leaving.
            start_new_session=sys.platform != "win32",
        )
        answer = self._asked(process, self._opening)
        if answer is None:
            raise PaperError(f"{self._path.name} cannot be drawn: it crashes the renderer", _HINT)
        if "error" in answer[0]:
            kind = PasswordError if answer[0]["password"] else PaperError
            raise kind(answer[0]["error"], answer[0]["hint"])
        self._sizes = tuple((width, height) for width, height in answer[0]["sizes"])
        return process

    def _asked(
        self, process: subprocess.Popen[bytes], request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes] | None:
        """The answer and its bytes; None when the process died of the request."""
        stdin, stdout = cast(Any, process.stdin), cast(Any, process.stdout)
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._seconds, stop)
        timer.start()
        try:
            with suppress(BrokenPipeError):
                stdin.write(json.dumps(request).encode() + b"\n")
                stdin.flush()
            line = stdout.readline()
            answer = json.loads(line) if line.endswith(b"\n") else None
            pixels = stdout.read(answer.get("bytes", 0)) if answer else b""
        finally:
            timer.cancel()
        if late.is_set():
            raise PaperError(f"drawing stopped: it took more than {self._seconds:g} s", _HINT)
        if answer and len(pixels) == answer.get("bytes", 0):
            return answer, pixels
        self._end()
        return None

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


def _request(drawing: Drawing) -> dict[str, Any]:
    boxes = [
        [h.kind, h.box.x0, h.box.y0, h.box.x1, h.box.y1]
        for h in drawing.highlights
        if h.box.page == drawing.page
    ]
    return {
        "page": drawing.page,
        "canvas": drawing.canvas,
        "crop": drawing.crop,
        "highlights": boxes,
        "form": drawing.form,
    }
