"""A picture on the terminal; as sixels, written over cells that stay untouched. For kitty see there."""

from __future__ import annotations

from typing import Protocol

from rich.control import Control
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.geometry import Offset, Region
from textual.strip import Strip

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


class SixelPicture:
    """The terminal draws it where the cursor is, and remembers nothing."""

    def __init__(self, drawing: Drawing, data: bytes) -> None:
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
