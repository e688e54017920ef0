"""The conversation: questions and answers, streamed, with citations to follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from mozi_cli.tui.exchange_view import ExchangeView

_SHOWN = 8  # exchanges that are drawn at first, and each time someone scrolls further back
_NEAR = 2  # rows from the top where older exchanges are fetched


class Transcript(VerticalScroll, can_focus=True):
    """Draws the last exchanges, and older ones when scrolled back to; keeps its place on a resize."""

    BORDER_TITLE = "conversation"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._older: list[ExchangeView] = []
        self._views: list[ExchangeView] = []
        self._fetching = False

    def compose(self) -> ComposeResult:
        """What to do first, until there is a conversation."""
        yield Static(id="welcome")

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
        if new < old and new <= _NEAR and self._older and not self._fetching:
            self._fetching = True
            self.call_after_refresh(self._fetch)

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
