"""Open a paper: a path, an address or an arXiv id, or one of those opened before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from mozi_cli.tui import paths
from mozi_cli.tui.choices import Choices
from mozi_cli.tui.rows import Row, paper_row
from mozi_engine import files
from mozi_engine.errors import PaperError
from mozi_engine.paper import opening, source
from mozi_engine.sessions.conversations import LibraryEntry

HINT = "Tab completes a path; ↑ ↓ choose; Enter opens"


class OpenScreen(ModalScreen[str | None]):
    """Dismissed with a reference that `paper.source.locate` understands, or None.

    A path is looked at before: what is no PDF is said in place.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("tab", "complete", "Complete", show=False, priority=True),
        Binding("down", "move('cursor_down')", show=False, priority=True),
        Binding("up", "move('cursor_up')", show=False, priority=True),
    ]

    def __init__(self, recent: Sequence[LibraryEntry] = ()) -> None:
        super().__init__()
        now = datetime.now().astimezone()
        self._recent = [paper_row(entry, now) for entry in recent]
        self._offered, self._moved = "", False

    def compose(self) -> ComposeResult:
        """The line, what is wrong with it, and what it may mean."""
        with Vertical(classes="window"):
            yield Input(placeholder="a PDF's path, its https:// address, or arxiv:1805.02262")
            yield Static(HINT, id="said", markup=False)
            choices = Choices()
            choices.can_focus = False
            yield choices

    def on_mount(self) -> None:
        """Show the papers opened before."""
        self.query_one(".window").border_title = "Open a paper"
        self.query_one(Choices).show(self._recent)

    @on(Input.Changed)
    @work(exclusive=True)
    async def suggest(self, event: Input.Changed) -> None:
        """Offer what the line could mean."""
        await self._offer(event.value)

    @work(exclusive=True)
    async def action_complete(self) -> None:
        """Lengthen the path as far as it is certain."""
        line = self.query_one(Input)
        found = await asyncio.to_thread(paths.complete, line.value)
        self._type(paths.further(line.value, found))
        if not found:
            self._say("nothing begins so", wrong=True)

    def action_move(self, action: str) -> None:
        """Move the list's highlight; Enter then means what is highlighted."""
        choices = self.query_one(Choices)
        choices.action_cursor_down() if action == "cursor_down" else choices.action_cursor_up()
        self._moved = True

    @on(OptionList.OptionSelected)
    @work(exclusive=True)
    async def click(self, event: OptionList.OptionSelected) -> None:
        """Open what is clicked."""
        await self._open(event.option_id or "")

    @on(Input.Submitted)
    @work(exclusive=True)
    async def submit(self, event: Input.Submitted) -> None:
        """Open what the line says; if that is nothing, or a person moved there, what is highlighted."""
        typed = paths.unwrapped(event.value)
        if event.value != self._offered:
            await self._offer(event.value)
        chosen = self.query_one(Choices).chosen
        wrong = await asyncio.to_thread(_wrong, typed)
        if chosen and (self._moved or wrong):
            await self._open(chosen)
        elif typed:
            await self._open(typed)

    async def _open(self, reference: str) -> None:
        """Leave with the reference, go into a folder, or say what is wrong."""
        if reference.endswith("/") and reference != self._offered:
            self._type(reference)
        elif wrong := await asyncio.to_thread(_wrong, reference):
            self._say(f"{wrong.message}: {wrong.hint}", wrong=True)
        else:
            self.dismiss(reference)

    async def _offer(self, typed: str) -> None:
        """List paths that go on so, or else papers that fit, the first highlighted."""
        found = await asyncio.to_thread(paths.complete, typed) if typed else []
        choices = self.query_one(Choices)
        if found or paths.is_path(typed):
            choices.show([Row(name, name) for name in found])
        else:
            choices.show(self._recent, typed)
        if typed.endswith("/"):
            choices.highlighted = None
        self._offered, self._moved = typed, False
        self._say(HINT)

    def _type(self, text: str) -> None:
        line = self.query_one(Input)
        line.value, line.cursor_position = text, len(text)

    def _say(self, text: str, *, wrong: bool = False) -> None:
        said = self.query_one("#said", Static)
        said.update(f"✗ {text}" if wrong else text)
        said.set_class(wrong, "wrong")


def _wrong(reference: str) -> PaperError | None:
    """What is wrong with a reference, as far as can be told without the network."""
    try:
        if source.address(reference) is None:
            opening.look_at(files.expanded(reference))
    except PaperError as error:
        return error
    return None
