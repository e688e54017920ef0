"""The paper as it stands: one page at a time, as text or as a picture, with the evidence highlighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from mozi_engine.types import Box, Paper


class PaperPane(Widget, can_focus=True):
    """Shows a paper; knows nothing of questions. Pages count from 1; `pages` is 0 before there is a paper."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "turn(-1)", "Page back", id="page.previous"),
        Binding("right,l", "turn(1)", "Next page", id="page.next"),
    ]

    @dataclass
    class PageTurned(Message):
        """Another page stands in the pane."""

        page: int
        pages: int

    page = reactive(0, init=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._paper: Paper | None = None
        self._file: tuple[Path, str | None] | None = None
        self._marks: tuple[Box, ...] = ()

    def compose(self) -> ComposeResult:
        """The page's text."""
        with VerticalScroll(can_focus=False):
            yield Static(markup=False)

    @property
    def pages(self) -> int:
        """How many pages the paper has; 0 before there is one."""
        return self._paper.pages if self._paper else 0

    def show(self, paper: Paper, path: Path, password: str | None = None) -> None:
        """Show the paper; a better reading of the one that stands there keeps page, place and marks."""
        self._paper, self._file = paper, (path, password)
        self.page = max(self.page, 1)
        self._draw()

    def turn(self, page: int) -> None:
        """Turn to a page, or to the nearest there is."""
        self.page = min(max(page, 1), self.pages)

    def mark(self, boxes: Sequence[Box]) -> None:
        """Highlight the words in these boxes, and bring the first into view; none: no highlight."""
        self._marks = tuple(boxes)
        if boxes:
            self.turn(boxes[0].page)

    def action_turn(self, by: int) -> None:
        """Turn some pages on, or back."""
        self.turn(self.page + by)

    def watch_page(self, page: int) -> None:
        """Draw the page and tell the app."""
        self._draw()
        self.post_message(self.PageTurned(page, self.pages))

    def _draw(self) -> None:
        if self._paper is None or not self.is_mounted:
            return
        body = [p for section in self._paper.sections for p in section.paragraphs]
        printed = (
            p.text
            for p in (*body, *self._paper.references)
            if any(word.box.page == self.page for word in p.words)
        )
        self.query_one(Static).update("\n\n".join(printed))
        self.border_title = f"page {self.page} of {self.pages}"
