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
    It must be there before Textual starts, which reads everything that the terminal says.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="graphics").submit(_ask)


def _ask() -> Graphics | None:
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stdout__ and sys.__stdout__.isatty()):
        return None
    if "TMUX" in os.environ or "NO_COLOR" in os.environ or os.environ.get("TERM", "").startswith(_PLAIN):
        return None
    from textual_image._terminal import get_cell_size
    from textual_image.renderable import Image, SixelImage, TGPImage  # asks when it is imported

    width, height = get_cell_size()
    remote = "SSH_CONNECTION" in os.environ
    if Image is SixelImage:
        return Graphics("sixel", (width, height), remote)
    return Graphics("kitty", (width, height), remote) if Image is TGPImage else None
