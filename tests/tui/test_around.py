"""The screens around the chat, as the chat opens them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandList, CommandPalette

from mozi_cli.tui.export_screen import ExportScreen
from mozi_cli.tui.keys import ACTIONS
from mozi_cli.tui.keys_screen import KeysScreen
from mozi_cli.tui.library_screen import LibraryScreen
from mozi_cli.tui.models_screen import ModelsScreen
from mozi_cli.tui.open_screen import OpenScreen
from mozi_cli.tui.sessions_screen import SessionsScreen
from mozi_engine.settings import Settings
from tests.tui.chat import AUTHORS, HOW_MANY, Model, ask, chatting, shown
from tests.tui.host import listed, said, type_in, until

pytestmark = pytest.mark.anyio


async def test_the_palette_has_every_action_and_runs_it_in_its_pane(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        offered = app.screen.query_one(CommandList)
        here = [
            a for a in ACTIONS if a.name not in ("palette", "cite") and a.pane not in ("models", "sessions")
        ]
        await until(pilot, lambda: offered.option_count == len(here))
        await type_in(pilot, "turn to the next page")
        await until(pilot, lambda: offered.option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.page.page == 2)


async def test_each_screen_opens_by_its_key_and_escape_comes_back(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        for key, screen in (
            ("ctrl+o", OpenScreen),
            ("ctrl+r", SessionsScreen),
            ("f3", ModelsScreen),
            ("f1", KeysScreen),
            ("ctrl+s", ExportScreen),
        ):
            await pilot.press(key)
            await until(pilot, lambda screen=screen: isinstance(app.screen, screen))
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat)
        assert "12M nodes" in shown(app)


async def test_a_wrong_path_leaves_the_paper_that_is_open(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        await until(pilot, lambda: len(listed(app.screen)) == 1)
        await type_in(pilot, "/nowhere.pdf")
        await pilot.press("enter")
        await until(pilot, lambda: "no such file" in said(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        assert app.chat.page.pages == 8


async def test_keys_of_the_settings_file_work(example_read: Path) -> None:
    settings = Settings(engine="remote", base_url="http://127.0.0.1:9/v1", keys=(("models", "f9"),))
    async with chatting(Model([]), example_read, settings=settings) as (app, pilot):
        await pilot.press("f3")
        await pilot.pause(0.1)
        assert app.screen is app.chat
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))


async def test_every_theme_of_textual_can_be_chosen(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        for name in app.available_themes:
            app.theme = name
            await pilot.pause()
            assert app.theme == name


async def test_the_library_leads_to_conversations_and_models(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        app.open(str(example_read))
        await until(pilot, lambda: not app.chat.transcript.views)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        await until(pilot, lambda: len(app.chat.transcript.views) == 1)
