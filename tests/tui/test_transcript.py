"""The conversation while it grows: it follows the end, or stays where someone reads."""

from __future__ import annotations

import asyncio
import re

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.transcript import Transcript
from tests.tui.host import screen_text

pytestmark = pytest.mark.anyio
LINES = [f"Sentence {number} says that papers and authors are nodes of the graph. " for number in range(120)]


class Talk(App[None]):
    CSS = "Transcript { height: 1fr; } ExchangeView { height: auto; }"

    def compose(self) -> ComposeResult:
        yield Transcript()

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)


def top(app: Talk) -> int:
    """The number of the first sentence in view."""
    found = re.search(r"Sentence (\d+)", "".join(screen_text(app)))
    assert found
    return int(found[1])


async def settled(pilot: Pilot[None]) -> None:
    for _ in range(5):
        await pilot.pause(0.05)


async def growing(app: Talk, pilot: Pilot[None]) -> ExchangeView:
    view = ExchangeView(1, "What is it about?", "paper")
    await app.transcript.add(view)
    for line in LINES[:60]:
        await view.write(line)
    await settled(pilot)
    return view


async def test_who_scrolls_back_stays_there_while_the_answer_grows() -> None:
    app = Talk()
    async with app.run_test(size=(60, 20)) as pilot:
        view = await growing(app, pilot)
        assert top(app) > 40
        app.transcript.focus()
        await pilot.press("pageup", "pageup")
        await asyncio.sleep(0.5)
        await settled(pilot)
        before = top(app)
        assert before < 40
        for line in LINES[60:]:
            await view.write(line)
        await settled(pilot)
        assert top(app) == before


async def test_a_resize_keeps_the_place_while_the_answer_grows() -> None:
    app = Talk()
    async with app.run_test(size=(60, 20)) as pilot:
        view = await growing(app, pilot)
        app.transcript.scroll_to(y=30, animate=False)
        await settled(pilot)
        before = top(app)
        for size in ((120, 20), (40, 30), (60, 20)):
            await pilot.resize_terminal(*size)
            await view.write(LINES[60])
            await settled(pilot)
            assert abs(top(app) - before) <= 2, size


async def test_a_resize_at_the_end_stays_at_the_end() -> None:
    app = Talk()
    async with app.run_test(size=(60, 20)) as pilot:
        view = await growing(app, pilot)
        await pilot.resize_terminal(120, 10)
        await settled(pilot)
        assert app.transcript.scroll_y == app.transcript.max_scroll_y
        for line in LINES[60:]:
            await view.write(line)
        await settled(pilot)
        assert "Sentence 119" in "".join(screen_text(app))
