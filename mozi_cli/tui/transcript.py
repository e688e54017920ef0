"""The conversation: questions and answers, streamed, with citations to follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from mozi_cli.tui.exchange_view import ExchangeView

_SHOWN = 8  # exchanges that are drawn at first, and each time someone scrolls further back
_NEAR = 2  # rows from the top where older exchanges are fetched


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands at the top of the view: so many of a widget's rows are above it."""

    widget: Widget
    above: int
    height: int
    width: int


class Transcript(VerticalScroll, can_focus=True):
    """Draws the last exchanges, and older ones when scrolled back to; keeps its place on a resize."""

    BORDER_TITLE = "conversation"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._older: list[ExchangeView] = []
        self._views: list[ExchangeView] = []
        self._fetching = False
        self._place: _Place | None = None  # None: at the end

    def compose(self) -> ComposeResult:
        """What to do first, until there is a conversation."""
        yield Static(id="welcome", markup=False)

    def on_mount(self) -> None:
        """Stay at the end while an answer grows, until someone scrolls."""
        self.anchor()

    @property
    def views(self) -> Sequence[ExchangeView]:
        """Every exchange, oldest first, drawn or not."""
        return (*self._older, *self._views)

    def view(self, number: int) -> ExchangeView | None:
        """The exchange of this number, if it is part of the conversation."""
        return next((view for view in reversed(self.views) if view.number == number), None)

    def welcome(self, told: str) -> None:
        """What stands there before the first question."""
        self.query_one("#welcome", Static).update(told)

    async def show(self, views: Iterable[ExchangeView]) -> None:
        """Another conversation, at its end."""
        everything = list(views)
        self._older, self._views = everything[:-_SHOWN], everything[-_SHOWN:]
        self.query_one("#welcome").display = not everything
        with self.app.batch_update():
            await self.query(ExchangeView).remove()
            await self.mount_all(self._views)
        self.anchor()

    async def add(self, view: ExchangeView) -> None:
        """A new question, at the end."""
        self.query_one("#welcome").display = False
        self._views.append(view)
        await self.mount(view)
        self.anchor()

    async def take_back(self, view: ExchangeView) -> None:
        """Take back a question that came to nothing."""
        self._views.remove(view)
        await view.remove()

    def reveal(self, view: ExchangeView) -> None:
        """Let an answer that is longer than the pane be read from its question on, if one was at the end."""
        at_end = self.scroll_y >= self.max_scroll_y - 1

        def scroll() -> None:
            if at_end and view.outer_size.height > self.scrollable_content_region.height:
                self.scroll_to_widget(view, top=True, animate=False)

        self.call_after_refresh(scroll)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Fetch older exchanges when the first that is drawn comes into view."""
        super().watch_scroll_y(old, new)
        self._remember()
        if new < old and new <= _NEAR and self._older and not self._fetching:
            self._fetching = True
            self.call_after_refresh(self._fetch)

    def watch_virtual_size(self) -> None:
        """Know how high everything is, as long as the width stays."""
        self._remember()

    def on_resize(self) -> None:
        """What stood at the top stays there, broken into other lines."""
        if (place := self._place) and place.width != self.size.width:
            self._place = None
            self.call_after_refresh(self._return, place)

    def _return(self, place: _Place) -> None:
        if not place.widget.is_attached:
            return
        region = place.widget.region
        above = round(place.above * region.height / max(place.height, 1))
        self._place = _Place(place.widget, above, region.height, self.size.width)
        self.scroll_to(y=self.scroll_y + region.y + above - self.content_region.y, animate=False)

    def _remember(self) -> None:
        if self._place and self._place.width != self.size.width:
            return  # until `on_resize`
        self._place = None
        if self.scroll_y < self.max_scroll_y - 1:
            widget, above = _innermost(self, int(self.scroll_y))
            self._place = _Place(widget, above, widget.virtual_region.height, self.size.width)

    async def _fetch(self) -> None:
        older, self._older = self._older[-_SHOWN:], self._older[:-_SHOWN]
        first = self._views[0]
        self._views[:0] = older
        at = first.virtual_region.y - self.scroll_y
        await self.mount_all(older, before=first)
        self.call_after_refresh(self._keep_place, first, at)

    def _keep_place(self, first: ExchangeView, at: float) -> None:
        """Let what was in view stay where it was, now that there is more above it."""
        self.scroll_to(y=first.virtual_region.y - at, animate=False)
        self._fetching = False


def _innermost(widget: Widget, row: int) -> tuple[Widget, int]:
    """The widget within that is drawn in this row, and the row's number in it."""
    for child in widget.children:
        region = child.virtual_region
        if child.display and region.y <= row < region.bottom:
            return _innermost(child, row - region.y)
    return widget, row
