"""A tiny app around one screen, and waiting for what threads bring."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

import mozi_cli.tui
from mozi_cli.tui.choices import Choices
from mozi_cli.tui.theme import THEMES
from mozi_engine.sessions.conversations import LibraryEntry, PaperRef

SIZES = [(80, 24), (120, 40)]


class Host(App[None]):
    """Shows one screen; `left` holds what it was dismissed with."""

    CSS_PATH = Path(mozi_cli.tui.__file__).parent / "mozi.tcss"

    def __init__(self, shown: Screen[Any], theme: str = "mozi-dark") -> None:
        super().__init__()
        for each in THEMES:
            self.register_theme(each)
        self.theme, self.shown, self.left = theme, shown, []

    def on_mount(self) -> None:
        self.push_screen(self.shown, self.left.append)


async def until(pilot: Pilot[Any], holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until it holds; what it is then is asserted."""
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        await pilot.pause(0.02)
    assert holds()


async def type_in(pilot: Pilot[Any], text: str) -> None:
    for character in text:
        await pilot.press("space" if character == " " else character)


def said(screen: Screen[Any]) -> str:
    """What the line of a window says."""
    return str(screen.query_one("#said", Static).content)


def listed(screen: Screen[Any]) -> list[str]:
    """The titles in the list."""
    return [str(option.prompt).partition("\n")[0] for option in screen.query_one(Choices).options]


def screen_text(app: App[Any]) -> list[str]:
    """The characters that stand on the screen, a line each."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def entry(title: str, reference: str, days: int = 0, questions: int = 0, pages: int = 8) -> LibraryEntry:
    paper = PaperRef(f"{abs(hash(reference)):064x}", title, reference, pages)
    return LibraryEntry(paper, datetime.now(UTC) - timedelta(days=days), questions)
