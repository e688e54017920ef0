"""A page's picture, in a terminal that shows pictures: fitted to the width, zoomed, scrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.segment import Segment
from textual import events, work
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from mozi_cli.tui.graphics import Graphics
from mozi_cli.tui.terminal_pictures import SixelPicture, TerminalPicture
from mozi_engine.errors import PaperError
from mozi_engine.paper.picture import Drawing, Highlight, Pictures
from mozi_engine.types import Box

_KEPT = 4  # pictures: this page's, the next one's, those looked at before
_WIDEST = 4000  # pixels
_MOST_CELLS = 297  # in each direction: as many as kitty can number
_WAITING = "  drawing the page…"

PageSizes = tuple[tuple[float, float], ...]


class PictureView(ScrollView, can_focus=False):
    """Shows pages as `Pictures` draws them, in a thread; the page after is drawn ahead."""

    @dataclass
    class Failed(Message):
        """The page cannot be drawn."""

        error: PaperError

    @dataclass
    class Measured(Message):
        """The sizes of a PDF's pages, in points."""

        pictures: Pictures
        sizes: PageSizes

    @dataclass
    class Drawn(Message):
        """What a drawing asked for."""

        pictures: Pictures
        picture: TerminalPicture

    def __init__(self, graphics: Graphics) -> None:
        super().__init__()
        self._graphics = graphics
        self._pictures: Pictures | None = None
        self._sizes: PageSizes = ()
        self._page = 0
        self._highlights: tuple[Highlight, ...] = ()
        self._zoom = 1.0
        self._awaited: Box | None = None  # to reveal once the sizes of the pages are known
        self._kept: dict[Drawing, TerminalPicture] = {}  # what was shown last comes last
        self._picture: TerminalPicture | None = None

    def open(self, pictures: Pictures) -> None:
        """Draw from this PDF from now on."""
        self._pictures, self._sizes, self._page, self._picture = pictures, (), 0, None
        self._forget(0)
        self.refresh()

    def show(self, page: int, highlights: Sequence[Highlight]) -> None:
        """Show a page with these highlights; another page than before from its top."""
        turned, self._page, self._highlights = page != self._page, page, tuple(highlights)
        if turned:
            self._awaited = None
            self.scroll_to(x=0, y=0, animate=False)
        self._settle()

    def reveal(self, box: Box) -> None:
        """Scroll, if need be, to have the box in view."""
        self._awaited = box
        if not self._sizes or not self.size.height:
            return
        self._awaited = None
        across, down = self._cells_a_point
        x, y, height = box.x0 * across, box.y0 * down, self.size.height
        if not self.scroll_y <= y <= self.scroll_y + height - 2:
            self.scroll_to(y=max(y - height / 3, 0), animate=False)
        if not self.scroll_x <= x <= self.scroll_x + self.size.width - 2:
            self.scroll_to(x=max(x - 2, 0), animate=False)

    def reach(self, box: Box) -> None:
        """Scroll so that the box is at the top of the view."""
        if not self._sizes:
            self._awaited = box
            return
        self.scroll_to(y=box.y0 * self._cells_a_point[1], animate=False)

    @property
    def place(self) -> Box | None:
        """The upper left corner of the view."""
        if not self._sizes or not self._page:
            return None
        across, down = self._cells_a_point
        x, y = self.scroll_x / across, self.scroll_y / down
        return Box(self._page, x, y, x, y)

    def zoom(self, factor: float | None) -> None:
        """Enlarge the page so many times, about what is in the middle; None: fit it to the width."""
        before, (width, height) = max(self.virtual_size.width, 1), self.size
        x, y = self.scroll_x + width / 2, self.scroll_y + height / 2
        self._zoom = min(max(self._zoom * factor, 1.0), 8.0) if factor else 1.0
        self._settle()
        grown = self.virtual_size.width / before
        self.scroll_to(x=max(x * grown - width / 2, 0), y=max(y * grown - height / 2, 0), animate=False)

    def on_resize(self, _: events.Resize) -> None:
        """Fit the page to the new width; what stood at the top stays there."""
        place, awaited = self.place, self._awaited
        self._settle()
        if awaited:
            self.reveal(awaited)
        elif place:
            self.reach(place)

    def on_unmount(self) -> None:
        """Leave nothing in the terminal's memory."""
        self._picture = None
        self._forget(0)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Draw what came into view."""
        super().watch_scroll_x(old_value, new_value)
        self._ask()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw what came into view."""
        super().watch_scroll_y(old_value, new_value)
        self._ask()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The picture, once it is there, while no other screen lies over it and all of the view is seen."""
        whole = self.screen.region.contains_region(self.region)
        if self._picture is None or not self.screen.is_active or not whole:
            return super().render_lines(crop)
        return self._picture.lines(crop, self.region.offset, self.scroll_offset, self.rich_style)

    def render_line(self, y: int) -> Strip:
        """What stands there before the first picture comes."""
        waiting = _WAITING if y == 1 and self._page and self._picture is None else ""
        return Strip([Segment(waiting, self.rich_style)]).crop_extend(0, self.size.width, self.rich_style)

    @property
    def _cells_a_point(self) -> tuple[float, float]:
        across = self.virtual_size.width / self._sizes[self._page - 1][0]
        return across, across * self._graphics.cell[0] / self._graphics.cell[1]

    def _settle(self) -> None:
        """Take the page's room, and have drawn what is in view of it."""
        if self._sizes and self._page and self.size:
            self.virtual_size = self._cells(self._page)
        self._ask()

    def _cells(self, page: int) -> Size:
        (width, height), cell = self._sizes[page - 1], Size(*self._graphics.cell)
        rows_a_column = height / width * cell.width / cell.height
        columns = min(self.size.width * self._zoom, _WIDEST / cell.width, _MOST_CELLS)
        columns = max(int(min(columns, _MOST_CELLS / rows_a_column)), 1)
        return Size(columns, min(ceil(columns * rows_a_column), _MOST_CELLS))

    def _drawing(self, page: int, scroll: Offset) -> Drawing:
        cells, (across, down) = self._cells(page), self._graphics.cell
        highlights = tuple(h for h in self._highlights if h.box.page == page)
        canvas = (cells.width * across, cells.height * down)
        if self._graphics.protocol == "kitty":
            return Drawing(page, canvas, (0, 0, *canvas), highlights)
        view = Region(*scroll, *self.size).intersection(cells.region)
        crop = (view.x * across, view.y * down, view.right * across, view.bottom * down)
        return Drawing(page, canvas, crop, highlights, "sixel")

    def _ask(self) -> None:
        """Show what is wanted, if it is there; have drawn what is not, and then the next page."""
        if self._pictures is None or not self._page or not self.size:
            return
        drawings: list[Drawing] = []
        if self._sizes:
            drawings.append(self._drawing(self._page, self.scroll_offset))
            if self._page < len(self._sizes):
                drawings.append(self._drawing(self._page + 1, Offset()))
            if drawings[0] in self._kept:
                self._put(drawings[0])
        self._fetch(self._pictures, drawings)

    @work(thread=True, exclusive=True, group="picture")
    def _fetch(self, pictures: Pictures, drawings: Sequence[Drawing]) -> None:
        """Measure the pages where no drawing is asked for yet; otherwise draw what is not there already."""
        worker = get_current_worker()
        try:
            if not drawings:
                self.post_message(self.Measured(pictures, pictures.sizes()))
            for drawing in drawings:
                data = b"" if worker.is_cancelled or drawing in self._kept else pictures.draw(drawing)
                if data and not worker.is_cancelled:
                    self.post_message(self.Drawn(pictures, self._made(drawing, data)))
        except PaperError as error:
            if not worker.is_cancelled:
                self.post_message(self.Failed(error))

    def _made(self, drawing: Drawing, data: bytes) -> TerminalPicture:
        if self._graphics.protocol == "sixel":
            return SixelPicture(drawing, data)
        from mozi_cli.tui.kitty_picture import KittyPicture  # Pillow, which sixels do without

        return KittyPicture(drawing, data, self._graphics.cell)

    def on_picture_view_measured(self, message: Measured) -> None:
        """Now it is known how much room a page takes."""
        message.stop()
        if message.pictures is self._pictures:
            self._sizes = message.sizes
            self._settle()
            if self._awaited:
                self.reveal(self._awaited)

    def on_picture_view_drawn(self, message: Drawn) -> None:
        """Show it, if it is what is wanted, and keep it for when it is."""
        message.stop()
        if message.pictures is not self._pictures:
            message.picture.forget()
            return
        drawing = message.picture.drawing
        self._kept[drawing] = message.picture
        if drawing == self._drawing(self._page, self.scroll_offset):
            self._put(drawing)
        self._forget(_KEPT)

    def _put(self, drawing: Drawing) -> None:
        self._picture = self._kept[drawing] = self._kept.pop(drawing)
        self.refresh()

    def _forget(self, most: int) -> None:
        """Keep at most so many pictures; the one that shows goes last."""
        others = [drawing for drawing, picture in self._kept.items() if picture is not self._picture]
        for drawing in others[: max(len(self._kept) - most, 0)]:
            self._kept.pop(drawing).forget()
