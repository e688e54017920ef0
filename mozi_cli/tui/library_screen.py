"""What `mozi chat` shows without a paper: those opened before, newest first."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static

from mozi_cli.tui.bindings import bind
from mozi_cli.tui.choices import Filtered
from mozi_cli.tui.open_screen import OpenScreen
from mozi_cli.tui.rows import paper_row
from mozi_engine.sessions.conversations import LibraryEntry

EMPTY = """\
[b]No paper yet.[/b]

Press [b]{key}[/b] and give a PDF's path, its https:// address, or an arXiv id, \
for example [b]arxiv:1805.02262[/b].

mozi finds the passages that bear on a question, answers from them, and shows the exact words on the page. \
Everything runs on this machine."""


class LibraryScreen(Screen[str | None]):
    """Dismissed with a reference to a paper, or None to leave.

    `read` holds the ids of the papers that the model remembers; `sessions` and `models` show what they are
    called after, on top of this; `key` is the one that opens another paper.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("open", "open", show=True),
        bind("sessions", "sessions", show=True),
        bind("models", "models", show=True),
        Binding("o", "open", show=False),
        Binding("escape", "dismiss(None)", "Leave"),
    ]

    def __init__(
        self,
        papers: Sequence[LibraryEntry],
        read: Container[str] = (),
        sessions: Callable[[], None] | None = None,
        models: Callable[[], None] | None = None,
        key: str = "Ctrl+O",
    ) -> None:
        super().__init__()
        now = datetime.now().astimezone()
        self._papers = papers
        self._rows = [paper_row(entry, now, read) for entry in papers]
        self._sessions, self._models, self._key = sessions, models, key

    def compose(self) -> ComposeResult:
        """The papers, or what to do first."""
        yield Static("mozi · library", classes="heading")
        if self._rows:
            yield Filtered(self._rows, nothing=f"no paper like that; {self._key} opens another")
        else:
            with Vertical(classes="welcome"):
                yield Static(EMPTY.format(key=self._key))
        yield Footer(show_command_palette=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Leave with the paper chosen."""
        self.dismiss(event.option_id)

    def action_open(self) -> None:
        """Ask for another paper."""

        def chosen(reference: str | None) -> None:
            if reference is not None:
                self.dismiss(reference)

        self.app.push_screen(OpenScreen(self._papers), chosen)

    def action_sessions(self) -> None:
        """Show the conversations there were."""
        if self._sessions:
            self._sessions()

    def action_models(self) -> None:
        """Choose another model."""
        if self._models:
            self._models()
