"""What stands around a conversation: models, passwords, files, editors, and leaving."""

from __future__ import annotations

from pathlib import Path

import pymupdf
import pytest

from mozi_cli.tui.password_screen import PasswordScreen
from mozi_engine.exporting import WRITERS
from mozi_engine.sessions import Store
from tests.tui.chat import AUTHORS, HOW_MANY, Model, ask, chatting, shown
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


async def test_the_companion_needs_no_paper() -> None:
    model = Model(["That sounds hard."])
    async with chatting(model, mode="support") as (app, pilot):
        view = await ask(app, pilot, "My experiment failed again and I feel bad.")
        assert (view.progress, view.mode) == ("answered", "support")


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
