"""A picture on the terminal: in kitty's cells, or as sixels written over cells that stay untouched."""

from __future__ import annotations

from typing import Protocol

from PIL import Image
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.geometry import Offset, Region
from textual.strip import Strip
from textual_image.renderable import TGPImage

from mozi_engine.paper.picture import Drawing

# With no style at all, Textual's filters would look for a colour to change.
_NO_STYLE = Style()


class TerminalPicture(Protocol):
    """Something drawn that the terminal can show."""

    drawing: Drawing

    def lines(self, crop: Region, at: Offset, scroll: Offset, ground: Style) -> list[Strip]:
        """The part of the view in `crop`. The view is at `at` of the screen, and scrolled by `scroll`."""
        ...

    def forget(self) -> None:
        """Free what the terminal keeps of it."""
        ...


class KittyPicture:
    """The terminal has the whole picture, and cells say which part of it they show."""

    def __init__(self, drawing: Drawing, data: bytes, cell: tuple[int, int]) -> None:
        self.drawing = drawing
        width, height = drawing.canvas
        image = Image.frombytes("RGB", drawing.canvas, data)
        self._sent = TGPImage(image, width // cell[0], height // cell[1])
        console = Console(width=width // cell[0])
        self._rows = [
            Strip([Segment(row.text.rstrip("\n"), row.style)], width // cell[0])
            for row in self._sent.__rich_console__(console, console.options)
            if isinstance(row, Segment)
        ]

    def lines(self, crop: Region, at: Offset, scroll: Offset, ground: Style) -> list[Strip]:  # noqa: ARG002
        """The cells in view."""
        part = crop.translate(scroll)
        rows = [self._rows[y] if y < len(self._rows) else Strip([]) for y in part.line_range]
        return [row.crop_extend(part.x, part.right, ground) for row in rows]

    def forget(self) -> None:
        """Let the terminal delete it."""
        self._sent.cleanup()


class SixelPicture:
    """The terminal draws it where the cursor is, and remembers nothing."""

    def __init__(self, drawing: Drawing, data: bytes, cell: tuple[int, int]) -> None:  # noqa: ARG002
        self.drawing = drawing
        self._sixels = data.decode("ascii")

    def lines(self, crop: Region, at: Offset, scroll: Offset, ground: Style) -> list[Strip]:  # noqa: ARG002
        """Lines that only move the cursor, so that no character overwrites the picture; it is in the last."""
        part = crop.translate(at)
        moves = [_moved_to(part.right, y) for y in part.line_range]
        drawn = [
            _moved_to(*at),
            Segment(self._sixels, _NO_STYLE, ((ControlType.CURSOR_FORWARD, 0),)),
            moves[-1],
        ]
        return [Strip([move], crop.width) for move in moves[:-1]] + [Strip(drawn, crop.width)]

    def forget(self) -> None:
        """Nothing: what is written over it is enough."""


def _moved_to(x: int, y: int) -> Segment:
    return Segment(Control.move_to(x, y).segment.text, _NO_STYLE, ((ControlType.CURSOR_FORWARD, 0),))
