"""Whether this terminal shows pictures, and how. It is asked once, before the screen takes it over."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

# These show none, or (tmux, screen) only where everything around them does: asking would be waiting in vain.
_PLAIN = ("dumb", "linux", "screen", "tmux", "vt100", "vt220")


@dataclass(frozen=True, slots=True)
class Graphics:
    """How the terminal takes pictures; `cell` is a character's width and height in pixels.

    `remote`: it is at the other end of an ssh connection, which pictures would fill.
    """

    protocol: Literal["kitty", "sixel"]
    cell: tuple[int, int]
    remote: bool = False


def asked() -> Future[Graphics | None]:
    """Begin to ask the terminal; the result is None for one without pictures.

    The answer takes up to 0.3 s, in a thread, so that the program can import the rest of itself meanwhile.
    It must be there before Textual starts, which reads everything that the terminal says. textual_image
    would ask on its own, but needs Pillow and numpy for that: 0.15 s that a plain terminal can do without.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="graphics").submit(_ask)


def _ask() -> Graphics | None:
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stdout__ and sys.__stdout__.isatty()):
        return None
    if "TMUX" in os.environ or "NO_COLOR" in os.environ or os.environ.get("TERM", "").startswith(_PLAIN):
        return None
    remote = "SSH_CONNECTION" in os.environ
    if "4" in _answer("\x1b[c", "\x1b[?", "c").strip("\x1b[?c").split(";"):
        return Graphics("sixel", _cell(), remote)
    if ";OK" not in _answer("\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\", "\x1b_G", "\x1b\\"):
        return None
    import mozi_cli.tui.kitty_picture  # noqa: F401  now, since textual_image asks too when it is imported

    return Graphics("kitty", _cell(), remote)


def _answer(question: str, start: str, end: str) -> str:
    """What the terminal says, from `start` to `end`; "" where it says nothing, or a key was pressed."""
    from textual_image._terminal import TerminalError, capture_terminal_response

    try:
        with capture_terminal_response(start, end, timeout=0.1) as response:
            sys.__stdout__.write(question)  # type: ignore[union-attr]
            sys.__stdout__.flush()  # type: ignore[union-attr]
    except (TerminalError, OSError, UnicodeDecodeError):
        return ""
    return str(response.sequence)


def _cell() -> tuple[int, int]:
    from textual_image._terminal import get_cell_size

    width, height = get_cell_size()
    return width, height
