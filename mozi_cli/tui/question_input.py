"""Where questions are written: several lines, with those asked before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class QuestionInput(TextArea):
    """Enter asks, Shift+Enter or Ctrl+J begins a new line, Up and Down bring back what was asked.

    `citations` are the digits that, where no question is begun, stand for a citation.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+enter,ctrl+j,alt+enter", "new_line", "New line", show=False),
        Binding("up", "before", "Question before", show=False),
        Binding("down", "after", "Question after", show=False),
    ]

    @dataclass
    class CitationWanted(Message):
        """The number of a citation was pressed, where no question was begun."""

        number: int

    @dataclass
    class Asked(Message):
        """A question was sent."""

        question: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id, highlight_cursor_line=False, tab_behavior="focus", compact=True)
        self.citations: frozenset[str] = frozenset()
        self.asked: list[str] = []
        self._place = 0  # in `asked`; its length is the draft
        self._draft = ""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self._ask()
        elif not self.text and event.key in self.citations:
            self.post_message(self.CitationWanted(int(event.key)))
        else:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()

    def give_back(self, question: str) -> None:
        """Put a question that came to nothing where it can be asked again, unless another was begun."""
        if not self.text.strip():
            self.load_text(question)
            self.move_cursor(self.document.end)

    def _ask(self) -> None:
        if question := self.text.strip():
            self.remember(question)
            self.clear()
            self.post_message(self.Asked(question))

    def remember(self, *questions: str) -> None:
        """Let Up bring these back."""
        self.asked += questions
        self._place, self._draft = len(self.asked), ""

    def action_new_line(self) -> None:
        """Begin another line."""
        self.insert("\n")

    def action_before(self) -> None:
        """Up: a line, or on the first the question before."""
        if self.cursor_at_first_line and self._place > 0:
            self._draft = self.text if self._place == len(self.asked) else self._draft
            self._go(self._place - 1)
        else:
            self.action_cursor_up()

    def action_after(self) -> None:
        """Down: a line, or on the last the question after."""
        if self.cursor_at_last_line and self._place < len(self.asked):
            self._go(self._place + 1)
        else:
            self.action_cursor_down()

    def _go(self, place: int) -> None:
        self._place = place
        self.load_text(self.asked[place] if place < len(self.asked) else self._draft)
        self.move_cursor(self.document.end)
