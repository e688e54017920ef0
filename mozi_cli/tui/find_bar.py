"""The line in which a person says what to search for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class FindBar(Horizontal):
    """Says what is typed as it is typed; `Closed` when that is done with, or not wanted after all."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave", show=False)]

    @dataclass
    class Changed(Message):
        """What to search for is now `query`."""

        query: str

    @dataclass
    class Closed(Message):
        """Enter, or (not `kept`) Escape."""

        kept: bool

    def compose(self) -> ComposeResult:
        """A sign, the input, and what was found."""
        yield Label("/", id="find-sign")
        yield Input(id="find-input", compact=True)
        yield Label("", id="find-count", markup=False)

    def ask(self) -> None:
        """Show the line, empty, and put the cursor into it."""
        self.display = True
        with self.prevent(Input.Changed):
            self.query_one(Input).value = ""
        self.count("")
        self.query_one(Input).focus()

    def count(self, found: str) -> None:
        """Say what was found."""
        self.query_one("#find-count", Label).update(found)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search as it is typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep what was found."""
        event.stop()
        self._close(kept=True)

    def action_leave(self) -> None:
        """Go back to where the search began."""
        self._close(kept=False)

    def _close(self, *, kept: bool) -> None:
        self.display = False
        self.post_message(self.Closed(kept))
