"""Reading, asking and following citations, as a person does it with keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from mozi_engine.errors import ModelError
from mozi_engine.sessions import Store
from tests.tui.chat import AUTHORS, HOW_MANY, Model, ask, chatting, put, shown
from tests.tui.host import until

pytestmark = pytest.mark.anyio


async def test_an_answer_leads_to_its_words_on_the_page(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        view = await ask(app, pilot, HOW_MANY)
        assert view.answer
        assert view.answer.verdict == "answered"
        assert "[1]" in shown(app)
        assert "page 2, 2.1 Node Types" in shown(app)
        await pilot.press("1")
        await pilot.pause()
        assert app.chat.page.page == 2
        assert app.chat.quote
        assert app.chat.quote.text == AUTHORS
        assert app.chat.question.text == ""


async def test_a_question_asked_early_is_answered_when_the_model_is_there(example_read: Path) -> None:
    model = Model([AUTHORS])
    model.loaded.clear()
    async with chatting(model, example_read) as (app, pilot):
        view = await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: view.evidence)
        assert view.progress == "waiting"
        model.loaded.set()
        await until(pilot, lambda: view.progress == "answered")


async def test_escape_stops_the_answer_and_what_came_stays(example_read: Path) -> None:
    model = Model([AUTHORS, AUTHORS])
    model.goes_on.clear()
    async with chatting(model, example_read) as (app, pilot):
        view = await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: view.text)
        await pilot.press("escape")
        await until(pilot, lambda: view.progress == "stopped")
        assert view.text.startswith("The")
        assert "stopped" in shown(app)
        model.goes_on.set()
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"
    with Store.open() as store:
        (kept,) = store.recent()
        assert [each.state for each in store.load(kept.session.id).exchanges] == ["stopped", "answered"]


async def test_a_question_that_fails_is_given_back(example_read: Path) -> None:
    model = Model(["More than"], fails=ModelError("the model stopped: out of memory", hint="ask less"))
    async with chatting(model, example_read) as (app, pilot):
        view = await ask(app, pilot, HOW_MANY)
        assert view.progress == "failed"
        assert app.chat.question.text == HOW_MANY
        assert "out of memory" in shown(app)
        assert "ask less" in shown(app)
