"""The installed `mozi` on a terminal of its own: typed to, and read from the screen."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte

from tests.command import MOZI

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


class Terminal:
    """A running mozi. What it has shown is read once: `until` goes on from where the last one ended."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process, self._screen = process, screen
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._shown = ""

    def type(self, text: str) -> None:
        """Send keys; "\\x04" is Ctrl-D."""
        os.write(self._screen, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def kill(self) -> None:
        """End it as a closed window or the kernel may: it is asked nothing, and told nothing."""
        self._process.kill()
        self._process.wait()

    def until(self, text: str, seconds: float = 60) -> str:
        """Wait until this has been shown; everything since the last wait, without control codes."""
        end = time.monotonic() + seconds
        while text not in (plain := _CONTROL.sub("", self._shown)):
            if time.monotonic() > end or not self._read(end - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown: {plain}")
        before, _, self._shown = plain.partition(text)
        return before + text

    def draw(self, on: pyte.Stream, seconds: float) -> bool:
        """Feed what is shown within that time to a terminal's emulator; False once mozi has ended."""
        shown = self._read(seconds)
        on.feed(self._shown)
        self._shown = ""
        return shown

    def leave(self, seconds: float = 30) -> tuple[int, str]:
        """Wait for mozi to end; its exit code, and what it said at last."""
        while self._read(seconds):
            pass
        return self._process.wait(seconds), _CONTROL.sub("", self._shown)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0, seconds))
        try:
            piece = os.read(self._screen, 65536) if ready else b""
        except OSError:  # Linux says so when the other side has closed
            piece = b""
        self._shown += self._decode(piece)
        return bool(piece)


class Screen:
    """The screen of a mozi that fills it, as a terminal draws it."""

    def __init__(self, terminal: Terminal, columns: int, lines: int) -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)

    @property
    def text(self) -> str:
        """Its lines."""
        return "\n".join(self._screen.display)

    @property
    def underlined(self) -> str:
        """The words that are underlined, line after line."""
        cells = (row[column] for _, row in sorted(self._screen.buffer.items()) for column in sorted(row))
        return "".join(cell.data for cell in cells if cell.underscore)

    def until(self, holds: Callable[[Screen], bool], seconds: float = 60) -> None:
        """Wait until it shows this."""
        end = time.monotonic() + seconds
        while not holds(self):
            if not self._terminal.draw(self._stream, 1) and time.monotonic() > end:
                raise AssertionError(self.text)


@contextmanager
def on_terminal(*arguments: object, columns: int = 80, lines: int = 24) -> Iterator[Terminal]:
    """Run mozi on a terminal; it is ended when it has not ended itself."""
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(lines)}
    process = subprocess.Popen(
        [MOZI, *map(str, arguments)],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        env=environment,
        start_new_session=True,
        preexec_fn=_controlling,
    )
    os.close(keyboard)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(screen)


def _controlling() -> None:
    """Make it the terminal that Ctrl-C comes from; in the child, before it runs mozi."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
