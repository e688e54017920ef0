"""Reading, asking and following citations, as a person does it with keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import mozi_cli.tui
from mozi_cli.tui.app import ChatApp
from mozi_cli.tui.desk import Desk
from mozi_cli.tui.errands import Post
from mozi_cli.tui.exchange_view import Sources
from mozi_cli.tui.start import Start
from mozi_engine import states
from mozi_engine.errors import ModelError
from mozi_engine.prompts import begins
from mozi_engine.reading import LEAST, RESERVED
from mozi_engine.sessions.conversations import Exchange
from mozi_engine.sessions.store import Store
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Prefill, Turn
from tests.serving import pdf
from tests.tui.chat import AUTHORS, HOW_MANY, Model, ask, chatting, put, shown
from tests.tui.host import type_in, until

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


async def test_a_question_is_read_while_it_is_written(example_read: Path) -> None:
    model = Model([AUTHORS])
    async with chatting(model, example_read) as (app, pilot):
        app.chat.question.focus()
        await type_in(pilot, HOW_MANY.removesuffix("?"))
        await until(pilot, lambda: model.ahead and HOW_MANY[:-1] in model.ahead[-1][-1].text)
        read = model.ahead[-1]  # behind the question mark, more may be
        await ask(app, pilot, HOW_MANY)
        assert begins(model.prompts[0], read)
        app.set_mode("support")
        await until(pilot, lambda: not begins(model.ahead[-1], model.prompts[0][:1]))


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


@dataclass
class Opening(Model):
    """Also reads openings, in ten batches: while it is `slow`, each goes on until it is held and `may_end`."""

    identity: str = "opening"
    states: Path = field(default_factory=states.folder)
    read: int = 0
    under_way: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    slow: bool = True

    def brief(self, opening: Sequence[Turn], held: Callable[[], bool]) -> Iterator[Prefill]:
        cached = self.read
        while self.read < 10:
            self.under_way.set()
            while self.slow and not (held() and self.may_end.wait(0.01)):
                pass
            self.read += 1
            yield Prefill(self.read, 10, cached)
            if held():
                return

    def save_brief(self, name: str) -> None:
        self.states.mkdir(parents=True, exist_ok=True)
        (self.states / name).write_text(str(self.read))

    def restore_brief(self, name: str, opening: Sequence[Turn]) -> None:
        raise AssertionError("nothing was kept")


async def test_escape_stops_a_question_that_waits_while_the_opening_is_read(example_read: Path) -> None:
    model = Opening([AUTHORS])
    async with chatting(model, example_read) as (app, pilot):
        await until(pilot, model.under_way.is_set)
        view = await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: view.evidence)
        await pilot.press("escape")
        assert view.progress == "waiting"
        model.may_end.set()
        await until(pilot, lambda: view.progress == "stopped")
        assert model.read < 10
        assert model.prompts == []
        assert not list(states.folder().glob("*.json"))
        model.slow = False
        await until(pilot, lambda: list(states.folder().glob("*.json")))
        assert model.read == 10
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"


async def test_a_question_does_not_wait_until_the_opening_is_read(example_read: Path) -> None:
    model = Opening([AUTHORS])
    model.may_end.set()
    async with chatting(model, example_read) as (app, pilot):
        await until(pilot, model.under_way.is_set)
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"
        assert 0 < model.read < 10
        model.slow = False
        await until(pilot, lambda: list(states.folder().glob("*.json")))


async def test_leaving_does_not_wait_until_the_opening_is_read(example_read: Path) -> None:
    model = Opening([])
    model.may_end.set()
    async with chatting(model, example_read) as (_, pilot):
        await until(pilot, model.under_way.is_set)
    assert model.read == 1


@dataclass
class Reader(Model):
    """Reads papers at once, as long as a thousand and some words."""

    identity: str = "reader"
    context: int = RESERVED + LEAST + 100
    states: Path = field(default_factory=states.folder)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> Iterator[Prefill]:
        yield Prefill(10, 10, 0)

    def save(self, name: str) -> None:
        self.states.mkdir(parents=True, exist_ok=True)
        (self.states / name).write_text("read")

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        pass

    def forget(self) -> bool:
        return False


async def test_what_of_a_long_paper_is_left_out_is_said_once_when_all_else_is_read(
    example_read: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(ChatApp, "notify", lambda _, message, **__: told.append(message))
    async with chatting(Reader([AUTHORS]), example_read) as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("reading").stage == "ready")
        assert app.chat.status.state("reading").told == "the paper, in part"
        await ask(app, pilot, HOW_MANY)
    (said,) = told
    assert said.startswith("longer than the context; known from passages only: ")


async def test_a_question_that_fails_is_given_back(example_read: Path) -> None:
    model = Model(["More than"], fails=ModelError("the model stopped: out of memory", hint="ask less"))
    async with chatting(model, example_read) as (app, pilot):
        view = await ask(app, pilot, HOW_MANY)
        assert view.progress == "failed"
        assert app.chat.question.text == HOW_MANY
        assert "out of memory" in shown(app)
        assert "ask less" in shown(app)


async def test_questions_stand_in_line(example_read: Path) -> None:
    model = Model([AUTHORS, "How many papers are there?", "The second."])
    model.goes_on.clear()
    async with chatting(model, example_read) as (app, pilot):
        first = await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: first.text)
        second = await put(app, pilot, "And the papers?")
        assert "after the question before it" in shown(app)
        model.goes_on.set()
        await until(pilot, lambda: second.progress == "answered")
        assert len(model.prompts) == 3  # the second question was also rewritten to stand alone


async def test_a_question_is_kept_while_it_waits_for_the_model(example_read: Path) -> None:
    model = Model([AUTHORS])
    model.loaded.clear()
    async with chatting(model, example_read) as (app, pilot):
        await put(app, pilot, HOW_MANY)
        (kept,) = held()
        assert (kept.question, kept.text, kept.state) == (HOW_MANY, "", "stopped")
        model.loaded.set()
        await until(pilot, lambda: [each.state for each in held()] == ["answered"])


async def test_a_question_in_line_is_kept(example_read: Path) -> None:
    model = Model([AUTHORS])
    model.goes_on.clear()
    async with chatting(model, example_read) as (app, pilot):
        first = await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: first.text)
        await put(app, pilot, "And the papers?")
        assert [each.question for each in held()] == [HOW_MANY, "And the papers?"]


async def test_a_question_that_is_taken_back_leaves_no_trace() -> None:
    async with chatting(Model([])) as (app, pilot):
        await pilot.press("escape")  # the library
        await put(app, pilot, HOW_MANY)
        assert [each.question for each in held()] == [HOW_MANY]
        await pilot.press("escape")
        await until(pilot, lambda: not app.chat.transcript.views)
        assert app.chat.question.text == HOW_MANY
        with Store.open() as store:
            assert store.recent() == ()


async def test_a_question_to_a_paper_that_cannot_be_read_is_kept_as_failed(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"no pdf")
    async with chatting(Model([])) as (app, pilot):
        await pilot.press("escape")
        await put(app, pilot, HOW_MANY)
        app.desk.open(str(broken))  # type: ignore[union-attr]
        await until(pilot, lambda: [each.state for each in held()] == ["failed"])
        assert app.chat.question.text == HOW_MANY


def held() -> tuple[Exchange, ...]:
    """What another mozi finds of the conversation: what would be left if this one were killed now."""
    with Store.open() as store:
        (kept,) = store.recent()
        return store.load(kept.session.id).exchanges


async def test_up_brings_back_what_was_asked(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        question = app.chat.question
        question.remember("first", "second")
        question.focus()
        question.load_text("a draft")
        await pilot.press("up")
        assert question.text == "second"
        await pilot.press("up")
        assert question.text == "first"
        await pilot.press("down", "down")
        assert question.text == "a draft"
        await pilot.press("ctrl+j", "x")
        assert question.text == "a draft\nx"


async def test_the_companion_has_a_banner_and_its_own_history(example_read: Path) -> None:
    model = Model([AUTHORS, "That sounds hard."])
    async with chatting(model, example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        await pilot.press("f2")
        assert app.chat.has_class("-support")
        assert "not a clinician" in shown(app) or "not a person" in shown(app)
        view = await ask(app, pilot, "My experiment failed again and I feel bad.")
        assert (view.mode, view.progress) == ("support", "answered")
        assert all(AUTHORS not in turn.text for turn in model.prompts[-1])
        await pilot.press("f2")
        assert not app.chat.has_class("-support")
    with Store.open() as store:
        (kept,) = store.recent()
        assert [each.mode for each in store.load(kept.session.id).exchanges] == ["paper", "support"]


async def test_a_conversation_goes_on_where_it_ended(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
    model = Model(["Again the same."])
    async with chatting(model, resume="") as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("index").stage == "ready", 60)
        (view,) = app.chat.transcript.views
        assert (view.question, view.text) == (HOW_MANY, AUTHORS)
        assert "[1]" in shown(app)
        await pilot.press("1")
        await pilot.pause()
        assert app.chat.page.page == 2
        await ask(app, pilot, "Why is that?")
        assert any(HOW_MANY in turn.text for prompt in model.prompts for turn in prompt)


async def test_a_conversation_chosen_later_has_its_own_paper(example_read: Path, tmp_path: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        kept = app.session
    other = tmp_path / "other.pdf"
    other.write_bytes(pdf("Tapirs live in the forest."))
    async with chatting(Model([]), other) as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("index").stage == "ready", 60)
        assert kept
        app.resume(kept.id)
        await until(pilot, lambda: app.session is not None and app.session.id == kept.id, 60)
        await until(pilot, lambda: app.chat.page.pages == 8, 60)
        assert app.session
        assert app.session.paper == kept.paper


async def test_a_title_in_square_brackets_is_shown_as_it_is(tmp_path: Path) -> None:
    paper = tmp_path / "[Re] tapirs.pdf"
    paper.write_bytes(pdf("Tapirs live in the forest."))
    async with chatting(Model([]), paper) as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("index").stage == "ready", 60)
        assert "[Re] tapirs" in shown(app)


async def test_in_a_narrow_terminal_a_citation_uncovers_the_page(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read, (80, 24)) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        assert "page 1 of 8" not in shown(app)
        await pilot.press("1")
        await pilot.pause()
        assert app.chat.page.has_focus_within
        assert "12M nodes" in shown(app)
        await pilot.press("tab")
        await pilot.pause()
        assert "conversation" in shown(app)


async def test_what_is_copied_can_be_pasted_elsewhere(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        app.chat.transcript.focus()
        await pilot.press("y")
        assert app.clipboard == AUTHORS
        await pilot.press("Y")
        title = "Construction of the Literature Graph in Semantic Scholar"
        assert app.clipboard == f"“{AUTHORS}” ({title}, p. 2, 2.1 Node Types)"
        app.chat.evidence.focus()
        await pilot.press("y")
        assert app.clipboard.startswith("Authors. Each node of this type")


async def test_enter_on_a_passage_shows_it_on_the_page(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        app.chat.evidence.focus()
        await pilot.press("enter")
        await pilot.pause()
        assert app.chat.page.page == app.chat.evidence.chosen.page  # type: ignore[union-attr]


async def test_a_bug_in_a_thread_is_told_and_the_screen_goes_on(example_read: Path) -> None:
    model = Model(["one", AUTHORS], fails=RuntimeError("a slip"))
    async with chatting(model, example_read) as (app, pilot):
        view = await ask(app, pilot, HOW_MANY)
        assert view.progress == "failed"
        assert "a bug in mozi: RuntimeError: a slip" in " ".join(shown(app).split())
        model.fails = None
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"


async def test_a_paper_that_is_not_there_is_told_and_another_can_be_opened(
    example_read: Path, tmp_path: Path
) -> None:
    async with chatting(Model([AUTHORS]), reference=str(tmp_path / "gone.pdf")) as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("text").stage == "failed")
        assert "no such file" in shown(app)
        app.open(str(example_read))
        await until(pilot, lambda: app.chat.status.state("index").stage == "ready", 60)
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"


async def test_a_narrow_window_that_grows_keeps_its_conversation(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read, (80, 24)) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert app.chat.page.region.width > 60
        assert AUTHORS in shown(app)


async def test_a_question_that_waits_for_the_paper_can_be_taken_back() -> None:
    async with chatting(Model([]), reference="https://127.0.0.1:9/paper.pdf") as (app, pilot):
        await until(pilot, lambda: app.chat.status.state("text").stage == "failed")
        await put(app, pilot, HOW_MANY)
        assert "as soon as the paper is read" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: not app.chat.transcript.views)
        assert app.chat.question.text == HOW_MANY


async def test_a_citation_can_be_clicked_in_the_answer_and_below_it(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        view = await ask(app, pilot, HOW_MANY)
        for place in (view.query_one("MarkdownParagraph"), view.query_one(Sources)):
            app.chat.page.turn(5)
            lines = place.render().plain  # type: ignore[union-attr]
            await pilot.click(place, offset=(lines.index("[1]") + 1, 0))
            await pilot.pause()
            assert app.chat.page.page == 2


async def test_a_question_is_kept_before_the_engine_is_there() -> None:
    there = threading.Event()

    def desk(post: Post, start: Start) -> Desk:
        there.wait(60)
        return Desk(post, start.settings, start.decoding, lambda _: Model([]))

    app = ChatApp(
        Start(Settings(engine="remote", base_url="http://127.0.0.1:9/v1"), GenerationSettings()), desk
    )
    async with app.run_test() as pilot:
        await put(app, pilot, HOW_MANY)
        await until(pilot, lambda: app.store)
        assert [each.question for each in held()] == [HOW_MANY]
        there.set()
        await until(pilot, lambda: app.chat.status.state("model").stage == "ready")
        assert [each.question for each in held()] == [HOW_MANY]


class Light(ChatApp):
    """As it is at the first paint."""

    CSS_PATH = Path(mozi_cli.tui.__file__).parent / "mozi.tcss"

    async def _set_out(self) -> None:
        pass


async def test_keys_pressed_before_every_pane_is_there_do_no_harm() -> None:
    app = Light(Start(Settings(), GenerationSettings()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f2", "shift+tab", "tab", "ctrl+o", "ctrl+l", *"why", "enter")
        await until(pilot, lambda: app.chat.transcript.views)
        assert app.chat.transcript.views[0].question == "why"
        assert app.mode == "paper"
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "answered as soon as the paper is read" in shown(app)
