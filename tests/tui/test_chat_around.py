"""What stands around a conversation: models, passwords, files, editors, and leaving."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymupdf
import pytest

from mozi_cli.tui.app import ChatApp
from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.messages import PaperFailed
from mozi_cli.tui.password_screen import PasswordScreen
from mozi_cli.tui.start import Start
from mozi_engine import states
from mozi_engine.generation import engines
from mozi_engine.prompts import begins
from mozi_engine.sessions.exporting import WRITERS
from mozi_engine.sessions.store import Store
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings
from tests.openai_server import OpenAIServer
from tests.tui.chat import AUTHORS, HOW_MANY, Model, ask, chatting, put, shown
from tests.tui.host import until

pytestmark = pytest.mark.anyio


async def test_another_model_goes_on_with_the_conversation(example_read: Path) -> None:
    model = Model([AUTHORS, "Is it so?", "It is so."])
    async with chatting(model, example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        model.name = "another"
        app.use_model("another")
        await until(pilot, lambda: app.chat.status.state("model").stage == "ready")
        assert "another" in shown(app)
        await ask(app, pilot, "Is it so?")
        assert any(HOW_MANY in turn.text for prompt in model.prompts[1:] for turn in prompt)
    with Store.open() as store:
        (kept,) = store.recent()
        assert [each.model for each in store.load(kept.session.id).exchanges] == ["scripted", "another"]


ELSEWHERE = Settings(model="qwen3", engine="remote", base_url="https://model.invalid/v1")


async def test_a_companion_on_another_machine_is_agreed_to_first() -> None:
    async with chatting(Model([]), mode="support", settings=ELSEWHERE) as (app, pilot):
        await until(pilot, lambda: "model.invalid" in shown(app))
        assert isinstance(app.screen, ConfirmScreen)
        assert app.mode == "paper"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert app.mode == "paper"
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.mode == "support")
        await until(pilot, lambda: "model.invalid" in shown(app))
        await pilot.press("f2", "f2")
        assert app.mode == "support"


async def test_the_library_says_what_the_model_has_read(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "8 pages" in shown(app))
        assert "read by the model" not in shown(app)
        await pilot.press("escape")
        assert app.session
        assert app.session.paper
        states.keep("read", _write_state, 9, 9, 10**6, paper=app.session.paper.id, model="scripted")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "✓ read by the model" in shown(app))


def _write_state(name: str) -> None:
    states.folder().mkdir(parents=True, exist_ok=True)
    (states.folder() / name).write_bytes(b"state")


async def test_a_server_that_is_away_is_not_said_to_be_ready(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.status = 503
    settings = Settings(model="qwen3", engine="remote", base_url=openai.url)
    async with chatting(Model([]), example_read, settings=settings, load=engines.load) as (app, pilot):
        status = app.chat.status
        await until(pilot, lambda: status.state("model").stage == "failed")
        assert "✗ model qwen3" in shown(app)
        assert (await ask(app, pilot, HOW_MANY)).progress == "failed"
        openai.status = 200
        openai.says(AUTHORS, AUTHORS, AUTHORS)
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"
        await until(pilot, lambda: status.state("model").stage == "ready")
        openai.status = 503
        assert (await ask(app, pilot, HOW_MANY)).progress == "failed"
        await until(pilot, lambda: status.state("model").stage == "failed")


async def test_the_companion_needs_no_paper() -> None:
    model = Model(["That sounds hard."])
    async with chatting(model, mode="support") as (app, pilot):
        view = await ask(app, pilot, "My experiment failed again and I feel bad.")
        assert (view.progress, view.mode) == ("answered", "support")
        assert not app.chat.page.display  # there is no paper yet


async def test_the_model_reads_what_a_message_will_come_after_before_there_is_a_word() -> None:
    model = Model(["That sounds hard.", "It does."])
    async with chatting(model, mode="support") as (app, pilot):
        await until(pilot, lambda: model.ahead)
        before = model.ahead[-1]
        assert before[-1].text == ""
        await pilot.press(*"so tired ")
        await until(pilot, lambda: model.ahead[-1][-1].text == "so tired ")
        await ask(app, pilot, "So tired of it all today")
        assert begins(model.prompts[0], before)


async def test_a_locked_paper_asks_for_its_password_until_it_opens(tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), AUTHORS)
    locked = tmp_path / "locked.pdf"
    document.save(locked, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="owner")
    async with chatting(Model([]), reference=str(locked)) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, PasswordScreen), 60)
        await pilot.press(*"guess", "enter")
        await until(pilot, lambda: app.screen is app.chat)
        await until(pilot, lambda: isinstance(app.screen, PasswordScreen), 60)
        await pilot.press(*"sesame", "enter")
        await until(pilot, lambda: app.chat.status.state("text").stage == "ready", 60)


async def test_nothing_of_a_private_conversation_is_kept(example_read: Path) -> None:
    async with chatting(Model([AUTHORS]), example_read, private=True) as (app, pilot):
        assert (await ask(app, pilot, HOW_MANY)).progress == "answered"
    with Store.open() as store:
        assert not store.recent()


async def test_the_conversation_is_written_to_a_file(
    example_read: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with chatting(Model([AUTHORS]), example_read) as (app, pilot):
        await ask(app, pilot, HOW_MANY)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.screen is not app.chat)
        await pilot.pause()
        await pilot.press("enter")
        written = tmp_path / "construction-of-the-literature-graph-in-semantic-scholar.md"
        await until(pilot, written.exists)
        assert app.session
        assert app.store
        assert written.read_text("utf-8") == WRITERS["md"](app.store.load(app.session.id))


async def test_ctrl_c_leaves(example_read: Path) -> None:
    async with chatting(Model([]), example_read) as (app, pilot):
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app._exit)


@contextmanager
def no_terminal() -> Iterator[None]:
    """A pilot's app has none to give to the editor."""
    yield


async def test_the_question_is_written_in_ones_own_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "my editor"
    editor.write_text('#!/bin/sh\nprintf " 文献？\\n" >> "$1"\n', "utf-8")
    editor.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{editor}'")
    async with chatting(Model([])) as (app, pilot):
        await until(pilot, lambda: app.screen is not app.chat)
        await pilot.press("escape")
        monkeypatch.setattr(app, "suspend", no_terminal)
        await until(pilot, lambda: app.screen is app.chat)
        await pilot.press(*"How", "ctrl+e")
        await until(pilot, lambda: app.chat.question.text == "How 文献？")
        monkeypatch.setenv("EDITOR", "false")
        await pilot.press("ctrl+e")
        await pilot.pause()
        assert app.chat.question.text == "How 文献？"


async def test_a_question_to_a_paper_that_there_is_not_is_given_back() -> None:
    async with chatting(Model([])) as (app, pilot):
        await until(pilot, lambda: app.screen is not app.chat)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)
        view = await put(app, pilot, HOW_MANY)
        app.post_message(PaperFailed("nowhere.pdf", "no such file: nowhere.pdf", "check the path"))
        await until(pilot, lambda: view.progress == "failed")
        await until(pilot, lambda: app.chat.question.text == HOW_MANY)
        assert not app.busy


async def test_a_bug_ends_the_screen_with_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    app = ChatApp(Start(Settings(), GenerationSettings()))
    app._handle_exception(ZeroDivisionError("division by zero"))
    app._print_error_renderables()
    said = capfd.readouterr().err
    assert said.startswith("mozi: a bug in mozi: ZeroDivisionError: division by zero\n")
    assert "Traceback" not in said
    assert "crash.txt" in said.replace("\n", "")
    assert app.return_code == 1
