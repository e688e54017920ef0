"""The conversations held before: read them, take one up again, export or delete it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, OptionList, Static

from mozi_cli.tui.bindings import bind
from mozi_cli.tui.choices import Choices, Filtered
from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.export_screen import Export, ExportScreen, file_name
from mozi_cli.tui.rows import line, session_row, title
from mozi_cli.wording import snippet
from mozi_engine.errors import MoziError
from mozi_engine.sessions.conversations import Conversation, Exchange, Summary

NONE = "No conversation is kept yet. Each is, from its first question on."
STATES = {"stopped": "■ stopped", "failed": "✗ failed", "pending": "… being written"}
ANSWERS = 300  # characters of an answer that the preview shows


class SessionsScreen(ModalScreen[str | None]):
    """Dismissed with the id of the session to resume, or None.

    `load`, `delete` (the store's own) and `export` are called in a thread, with a session's id; each may
    raise MoziError. Exports go to `folder` unless the person names another.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("sessions.export", "export", show=True),
        bind("sessions.delete", "delete", show=True),
        Binding("escape", "dismiss(None)", "Back"),
    ]

    def __init__(
        self,
        sessions: Sequence[Summary],
        load: Callable[[str], Conversation],
        delete: Callable[[str], None],
        export: Callable[[str, Export], None],
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        now = datetime.now().astimezone()
        self._sessions = {summary.session.id: summary for summary in sessions}
        self._rows = [session_row(summary, now) for summary in sessions]
        self._load, self._delete, self._export, self._folder = load, delete, export, folder

    def compose(self) -> ComposeResult:
        """The list, and the beginning of the conversation that is highlighted."""
        with Vertical(classes="window large"):
            with Horizontal():
                yield Filtered(self._rows, nothing="no conversation like that", none=NONE)
                with VerticalScroll(id="preview", can_focus=False):
                    yield Static()
            yield Footer()

    def on_mount(self) -> None:
        """Name the window."""
        self.query_one(".window").border_title = "Conversations"

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Leave with the session chosen."""
        self.dismiss(event.option_id)

    @on(OptionList.OptionHighlighted)
    @work(exclusive=True, group="preview")
    async def preview(self, event: OptionList.OptionHighlighted) -> None:
        """Show the conversation."""
        shown = self.query_one("#preview Static", Static)
        try:
            shown.update(_drawn(await asyncio.to_thread(self._load, event.option_id or "")))
        except MoziError as error:
            shown.update(Content(f"✗ {error.message}"))
        self.query_one("#preview").scroll_home(animate=False)

    @work
    async def action_delete(self) -> None:
        """Delete the conversation, if the person means it."""
        if (chosen := self.query_one(Choices).chosen) is None:
            return
        asked = line(self._sessions[chosen].question)
        question = f"Delete the conversation “{asked}”? It cannot be brought back."
        if not await self.app.push_screen_wait(ConfirmScreen(question, "Delete")):
            return
        try:
            await asyncio.to_thread(self._delete, chosen)
        except MoziError as error:
            self._say(error)
        else:
            self._rows = [row for row in self._rows if row.id != chosen]
            self.query_one("#preview Static", Static).update("")
            self.query_one(Filtered).replace(self._rows)

    @work
    async def action_export(self) -> None:
        """Write the conversation to a file."""
        if (chosen := self.query_one(Choices).chosen) is None:
            return
        session = self._sessions[chosen].session
        name = file_name(title(session.paper) if session.paper else "companion")
        if (how := await self.app.push_screen_wait(ExportScreen(name, self._folder))) is None:
            return
        try:
            await asyncio.to_thread(self._export, chosen, how)
        except MoziError as error:
            self._say(error)
        else:
            self.notify(f"written to {how.path}", markup=False)

    def _say(self, error: MoziError) -> None:
        self.notify(error.hint, title=error.message, severity="error", markup=False)


def _drawn(conversation: Conversation) -> Content:
    """What it is about, the questions, and how each answer begins."""
    paper = conversation.session.paper
    about = Content.styled(title(paper) if paper else "no paper", "$text-primary")
    return Content("\n\n").join([about, *map(_exchange, conversation.exchanges)])


def _exchange(exchange: Exchange) -> Content:
    asked = Content.styled(f"❯ {line(exchange.question)}", "bold")
    answer = Content(snippet(exchange.text, ANSWERS))
    state = Content.styled(STATES.get(exchange.state, ""), "$text-muted")
    return Content("\n").join([part for part in (asked, answer, state) if part])
