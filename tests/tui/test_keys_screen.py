from __future__ import annotations

import pytest
from textual.containers import VerticalScroll
from textual.widgets import Static

from mozi_cli.tui.keys import ACTIONS
from mozi_cli.tui.keys_screen import KeysScreen
from tests.tui.host import SIZES, Host, screen_text, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", SIZES)
async def test_every_action_stands_there_on_a_line_of_its_own(size: tuple[int, int]) -> None:
    screen = KeysScreen({})
    app = Host(screen)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "search everything" in "".join(screen_text(app)))
        text = str(screen.query_one(Static).content)
        for action in ACTIONS:
            assert any(action.does in line and line.endswith(f" {action.name}") for line in text.splitlines())
        window = screen.query_one(".window", VerticalScroll)
        assert window.virtual_size.width <= window.size.width
        assert any("sessions" in line and "ctrl+r" in line for line in screen_text(app))


async def test_it_scrolls_to_its_end_and_leaves() -> None:
    screen = KeysScreen({})
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("j", "k", "end")
        await until(pilot, lambda: "Esc or Tab leaves it" in "".join(screen_text(app)))
        await pilot.press("question_mark")
        await until(pilot, lambda: app.left == [None])


async def test_changed_keys_are_shown_as_they_are_now() -> None:
    screen = KeysScreen({"open": "f7,question_mark"})
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(
            pilot, lambda: any("f7 ?" in line and "open, changed" in line for line in screen_text(app))
        )
        assert "ctrl+o" not in "".join(screen_text(app))
