from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.command import CommandList, CommandPalette
from textual.widgets import Input, Static

from mozi_cli.tui.bindings import bind
from mozi_cli.tui.commands import ActionCommands
from tests.tui.host import screen_text, type_in, until

pytestmark = pytest.mark.anyio


class Page(Static, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = [bind("page.next", "turn(1)")]
    turned = 0

    def action_turn(self, by: int) -> None:
        self.turned += by


class Chat(App[None]):
    COMMANDS: ClassVar = {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [bind("open", "open_paper", show=True)]
    opened = 0

    def compose(self) -> ComposeResult:
        yield Input()
        yield Page()

    def action_open_paper(self) -> None:
        self.opened += 1


async def test_the_palette_lists_what_there_is_with_its_key() -> None:
    app = Chat()
    async with app.run_test() as pilot:
        app.set_keymap({"page.next": "f9"})
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "f9  turn to the next page" in "".join(screen_text(app)))
        assert "ctrl+o  open another paper" in "".join(screen_text(app))
        assert app.screen.query_one(CommandList).option_count == 2


async def test_an_action_runs_where_it_is_bound_whatever_has_the_focus() -> None:
    app = Chat()
    async with app.run_test() as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await type_in(pilot, "next page")
        await until(pilot, lambda: app.screen.query_one(CommandList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.query_one(Page).turned == 1)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await type_in(pilot, "paper")
        await until(pilot, lambda: app.screen.query_one(CommandList).option_count)
        await pilot.pause(0.2)
        await pilot.press("enter")
        await until(pilot, lambda: app.opened == 1)


async def test_a_changed_key_runs_the_action() -> None:
    app = Chat()
    async with app.run_test() as pilot:
        app.set_keymap({"open": "f9"})
        await pilot.press("f9", "ctrl+o")
        await until(pilot, lambda: app.opened == 1)
