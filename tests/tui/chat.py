"""The whole screen with a scripted model in the real one's place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from mozi_cli.tui.app import ChatApp
from mozi_cli.tui.desk import Desk
from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.start import Start
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Prefill, Turn, Usage
from tests.tui.host import until

HOW_MANY = "How many author nodes does the literature graph have?"
AUTHORS = "The literature graph has 12M nodes of this type."


@dataclass
class Model:
    """Says its replies, a word at a time. It is loaded when `loaded` is set, and says no more than `words` allow."""

    replies: list[str]
    name: str = "scripted"
    prompts: list[Sequence[Turn]] = field(default_factory=list)
    ahead: list[Sequence[Turn]] = field(default_factory=list)
    loaded: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    fails: Exception | None = None

    def __post_init__(self) -> None:
        self.loaded.set()
        self.goes_on.set()

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Iterator[str | Prefill | Usage]:
        self.prompts.append(messages)
        reply = self.replies.pop(0)
        yield Prefill(10, 10, 0)
        for word in reply.split(" "):
            yield word + " "
            while not self.goes_on.wait(0.01):
                yield ""
        if self.fails:
            raise self.fails
        yield Usage(10, len(reply.split(" ")))

    def anticipate(self, messages: Sequence[Turn], held: Callable[[], bool]) -> Iterator[Prefill]:
        self.ahead.append(messages)
        yield Prefill(10, 10, 0)


@asynccontextmanager
async def chatting(
    model: Model,
    paper: Path | None = None,
    size: tuple[int, int] = (120, 40),
    **start: Any,
) -> AsyncIterator[tuple[ChatApp, Pilot[None]]]:
    """The screen on this paper, ready to be asked unless the model is still to be loaded, or `load` is given."""

    def scripted(_: Settings) -> Model:
        model.loaded.wait(60)
        return model

    load = start.pop("load", None)
    settings = start.pop("settings", Settings(engine="remote", base_url="http://127.0.0.1:9/v1"))
    begin = Start(settings, GenerationSettings(), **{"reference": str(paper or ""), **start})
    app = ChatApp(begin, lambda post, start: Desk(post, start.settings, start.decoding, load or scripted))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.desk)
        if paper:
            await until(pilot, lambda: app.chat.status.state("index").stage == "ready", 60)
        if model.loaded.is_set() and not load:
            await until(pilot, lambda: app.chat.status.state("model").stage == "ready")
        yield app, pilot
        model.loaded.set()
        model.goes_on.set()
        assert app.desk
        await asyncio.to_thread(app.desk.close)
        await pilot.pause()


async def ask(app: ChatApp, pilot: Pilot[None], question: str) -> ExchangeView:
    """Type a question, send it, and wait for what comes of it."""
    view = await put(app, pilot, question)
    await until(pilot, lambda: view.progress not in ("waiting", "answering"))
    await pilot.pause()
    return view


async def put(app: ChatApp, pilot: Pilot[None], question: str) -> ExchangeView:
    """Send a question, and wait for nothing."""
    before = len(app.chat.transcript.views)
    app.chat.question.focus()
    app.chat.question.load_text(question)
    await pilot.press("enter")
    await until(pilot, lambda: len(app.chat.transcript.views) > before)
    return app.chat.transcript.views[-1]


def shown(app: ChatApp) -> str:
    """What stands on the screen, a line a row."""
    return "\n".join(
        "".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()
    )
