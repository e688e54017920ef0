"""The paper as it stands: one page at a time, as text or as a picture, with the evidence highlighted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from mozi_cli.tui.bindings import bind
from mozi_cli.tui.find_bar import FindBar
from mozi_cli.tui.graphics import Graphics
from mozi_cli.tui.page_view import PageView, Spans
from mozi_engine.paper import pages
from mozi_engine.paper.pages import Match, Piece
from mozi_engine.paper.picture import Highlight, Pictures
from mozi_engine.types import Box, Paper, Paragraph, boxes_of

if TYPE_CHECKING:
    from mozi_cli.tui.picture_view import PictureView

_EMPTY = "There is no text on this page."
_SCAN = "This page is a scan: it has no text layer. With pip install 'rapidocr>=3.9' mozi reads scans."
_PICTURE_LINE = 3  # rows that a line key scrolls a picture
_PAUSE = 0.3  # seconds without scrolling after which the wheel turns the page


class PaperPane(Widget, can_focus=True):
    """Shows a paper; knows nothing of questions. Pages count from 1; `pages` is 0 before there is a paper."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("page.previous", "turn(-1)"),
        bind("page.next", "turn(1)", show=True),
        bind("page.down", "line(1)"),
        bind("page.up", "line(-1)"),
        bind("page.screen_down", "screen(1)"),
        bind("page.screen_up", "screen(-1)"),
        bind("page.first", "first"),
        bind("page.last", "last"),
        bind("page.search", "search", show=True),
        bind("page.next_match", "match(1)", show=True),
        bind("page.previous_match", "match(-1)"),
        bind("page.forget", "forget"),
        bind("page.picture", "picture", show=True),
        bind("page.zoom_in", "zoom(1.25)"),
        bind("page.zoom_out", "zoom(0.8)"),
        bind("page.fit", "zoom(None)"),
        bind("page.pan_left", "pan(-8)"),
        bind("page.pan_right", "pan(8)"),
    ]

    @dataclass
    class PageTurned(Message):
        """Another page, or another paper's, stands in the pane."""

        page: int
        pages: int

    def __init__(
        self,
        graphics: Graphics | None = None,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._paper: Paper | None = None
        self._file: tuple[Path, str | None] | None = None
        self._printed: tuple[tuple[Piece, ...], ...] = ()
        self._page = 0
        self._marks: tuple[Box, ...] = ()
        self._query = ""
        self._matches: tuple[Match, ...] = ()
        self._current: Match | None = None
        self._began: tuple[int, Box | None] = (0, None)  # where the search began: page and place
        self._text = PageView()
        self._picture = _picture_view(graphics) if graphics else None
        self._pictured = graphics is not None and not graphics.remote
        self._pictures: Pictures | None = None
        self._bar = FindBar()
        self._scrolled_at = 0.0

    def compose(self) -> ComposeResult:
        """The page, and the line for searching, which shows only while it is used."""
        yield self._text
        if self._picture:
            yield self._picture
        yield self._bar

    def on_mount(self) -> None:
        """Say the section as the page is scrolled."""
        self._bar.display = False
        self._display()
        for view in filter(None, (self._text, self._picture)):
            self.watch(view, "scroll_y", self._scrolled, init=False)
        if self._paper:
            self._turned()

    def on_unmount(self) -> None:
        """End the process that draws."""
        self._close()

    @property
    def page(self) -> int:
        """The page that stands in the pane; 0 before there is a paper."""
        return self._page

    @property
    def pages(self) -> int:
        """How many pages the paper has; 0 before there is one."""
        return len(self._printed)

    def show(self, paper: Paper, path: Path, password: str | None = None) -> None:
        """Show the paper; a better reading of the one that stands there keeps page, place and marks."""
        place = self._view.place if self._view.scroll_y > 0 else None  # who is at the top stays there
        again = self._paper is not None and self._paper.id == paper.id
        self._paper, self._file, self._printed = paper, (path, password), pages.pages(paper)
        if not again:
            self._close()
            self._marks, self._page = (), 1
            self._forget()
            self._turned()
            return
        self._matches = pages.find(self._printed, self._query)
        self._current = next((m for m in self._matches if self._current and m.page >= self._page), None)
        self._draw()
        if place:
            self._view.reach(place)

    def turn(self, page: int) -> None:
        """Turn to a page, or to the nearest there is."""
        page = min(max(page, 1), self.pages)
        if page != self._page:
            self._page = page
            self._turned()

    def mark(self, boxes: Sequence[Box]) -> None:
        """Highlight the words in these boxes, and bring the first into view; none: no highlight."""
        self._marks = tuple(boxes)
        if boxes:
            self.turn(boxes[0].page)
        self._highlight()
        self._reveal_marks()

    def _turned(self) -> None:
        self._draw()
        self.post_message(self.PageTurned(self._page, self.pages))

    @property
    def _view(self) -> PageView | PictureView:
        return self._picture if self._picture and self._pictured else self._text

    @property
    def _here(self) -> tuple[Piece, ...]:
        return self._printed[self._page - 1] if self._page else ()

    def _draw(self) -> None:
        self._text.show(self._here or (self._note(),))
        self._highlight()
        self._reveal_marks()

    def _note(self) -> Piece:
        scanned = self._paper is not None and self._page in self._paper.scanned
        note = Paragraph(_SCAN if scanned else _EMPTY, "caption", ())
        return Piece(note, -1, self._page, 0, len(note.text), "", ())

    def _highlight(self) -> None:
        marks = {piece.number: pages.marked(piece.words, self._marks) for piece in self._here}
        others = [m for m in self._matches if m.number in marks and m != self._current]
        found, current = _spans(others), _spans([self._current] if self._current else [])
        self._text.highlight(marks, found, current)
        if self._picture and self._pictured and self._file and self._page:
            if self._pictures is None:
                self._pictures = Pictures(*self._file)
                self._picture.open(self._pictures)
            over = (*self._over(found, "match"), *self._over(current, "current"))
            self._picture.show(self._page, [*(Highlight(box, "mark") for box in self._marks), *over])
        self._entitle()

    def _over(self, spans: Spans, kind: Literal["match", "current"]) -> Iterator[Highlight]:
        for piece in self._here:
            for start, end in spans.get(piece.number, ()):
                yield from (Highlight(box, kind) for box in boxes_of(piece.words, start, end))

    def _reveal_marks(self) -> None:
        for piece in self._here:
            if spans := pages.marked(piece.words, self._marks):
                self._reveal(piece.number, *spans[0])
                return

    def _reveal(self, number: int, start: int, end: int) -> None:
        self._text.reveal(number, start)
        words = (piece.words for piece in self._here if piece.number == number)
        boxes = boxes_of(next(words, ()), start, end)
        if self._picture and self._pictured and boxes:
            self._picture.reveal(boxes[0])

    def _close(self) -> None:
        if self._pictures:
            self._pictures.close()
            self._pictures = None

    def _display(self) -> None:
        for view in filter(None, (self._text, self._picture)):
            view.display = view is self._view

    def _scrolled(self) -> None:
        self._scrolled_at = time.monotonic()
        self._entitle()

    def _entitle(self) -> None:
        self.border_title = Content(self._text.section)
        place = f"page {self._page} of {self.pages}" if self._page else ""
        self.border_subtitle = f"{self._found()} · {place}" if self._matches else place

    def _found(self) -> str:
        if not self._query:
            return ""
        if self._current is None:
            return "not found"
        return f"{self._matches.index(self._current) + 1} of {len(self._matches)}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Actions on what was found, where something was; on the picture, where there is one."""
        if action in ("match", "forget"):
            return bool(self._matches)
        return self._view is self._picture if action in ("zoom", "pan") else True

    def action_turn(self, by: int) -> None:
        """Turn some pages on, or back."""
        self.turn(self._page + by)

    def action_first(self) -> None:
        """Turn to the top of the first page."""
        self.turn(1)
        self._view.scroll_to(y=0, animate=False)

    def action_last(self) -> None:
        """Turn to the last page."""
        self.turn(self.pages)

    def action_line(self, by: int) -> None:
        """Scroll some lines; at the page's end, on to the next page, and at its beginning back."""
        self._scroll(by * (_PICTURE_LINE if self._view is self._picture else 1))

    def action_screen(self, by: int) -> None:
        """Scroll some screens, one line of each staying in view."""
        self._scroll(by * max(self._view.scrollable_content_region.height - 1, 1))

    def _scroll(self, by: int) -> None:
        view = self._view
        if by > 0 and view.scroll_y >= view.max_scroll_y:
            self.turn(self._page + 1)
        elif by < 0 and view.scroll_y <= 0:
            if self._page > 1:
                self.turn(self._page - 1)
                view.scroll_to(y=view.max_scroll_y, animate=False)
        else:
            view.scroll_to(y=view.scroll_y + by, animate=False)

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        """At the page's end, and not in the swing that led there: on to the next page."""
        if time.monotonic() - self._scrolled_at > _PAUSE:
            self._scroll(1)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        """At the page's beginning, likewise: back to the page before."""
        if time.monotonic() - self._scrolled_at > _PAUSE:
            self._scroll(-1)

    def action_picture(self) -> None:
        """Show the page as a picture, or as text; the place stays."""
        if self._picture is None:
            self.notify("this terminal cannot show pictures", severity="warning")
            return
        place = self._view.place
        self._pictured = not self._pictured
        self._display()
        self._highlight()
        if place:
            self._view.reach(place)
        self.refresh_bindings()

    def action_zoom(self, factor: float | None) -> None:
        """Enlarge the picture so many times; None: fit it to the pane."""
        if self._picture:
            self._picture.zoom(factor)

    def action_pan(self, by: int) -> None:
        """Move sideways over an enlarged picture."""
        self._view.scroll_to(x=self._view.scroll_x + by, animate=False)

    def on_picture_view_failed(self, event: PictureView.Failed) -> None:
        """The page's text is there still."""
        event.stop()
        self.notify(event.error.message, severity="warning", markup=False)
        if self._pictured:
            self.action_picture()

    def action_search(self) -> None:
        """Ask what to search for."""
        self._began = (self._page, self._view.place)
        self._bar.ask()

    def action_match(self, by: int) -> None:
        """Go to another place found; from the last on to the first."""
        if self._current:
            at = self._matches.index(self._current) + by
            self._go(self._matches[at % len(self._matches)])

    def action_forget(self) -> None:
        """Take what was found off the page."""
        self._forget()
        self._highlight()

    def on_find_bar_changed(self, event: FindBar.Changed) -> None:
        """Go to the first place from where the search began."""
        event.stop()
        self._query = event.query
        self._matches = pages.find(self._printed, event.query)
        page = self._began[0]
        self._go(next((m for m in self._matches if m.page >= page), next(iter(self._matches), None)))
        self._bar.count(self._found())

    def on_find_bar_closed(self, event: FindBar.Closed) -> None:
        """Stay at what was found, or go back."""
        event.stop()
        self.focus()
        if event.kept:
            return
        self._forget()
        page, place = self._began
        self.turn(page)
        self._highlight()
        if place:
            self._view.reach(place)

    def _forget(self) -> None:
        self._query, self._matches, self._current = "", (), None
        self.refresh_bindings()

    def _go(self, match: Match | None) -> None:
        self._current = match
        if match:
            self.turn(match.page)
        self._highlight()
        if match:
            self._reveal(match.number, match.start, match.end)
        self.refresh_bindings()


def _picture_view(graphics: Graphics) -> PictureView:
    # Here, since few terminals need it.
    from mozi_cli.tui.picture_view import PictureView

    return PictureView(graphics)


def _spans(matches: Sequence[Match]) -> Spans:
    by_number: dict[int, list[tuple[int, int]]] = {}
    for match in matches:
        by_number.setdefault(match.number, []).append((match.start, match.end))
    return by_number
