"""A picture on a terminal that speaks kitty's graphics protocol, and knows its Unicode placeholders."""

from __future__ import annotations

from PIL import Image
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Offset, Region
from textual.strip import Strip
from textual_image.renderable import TGPImage

from mozi_engine.paper.picture import Drawing


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
