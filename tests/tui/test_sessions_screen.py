from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Button, Static

from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.export_screen import Export, ExportScreen
from mozi_cli.tui.sessions_screen import SessionsScreen
from mozi_engine.errors import DataError
from mozi_engine.sessions.conversations import PaperRef, begin
from mozi_engine.sessions.store import Store
from tests.tui.host import SIZES, Host, listed, screen_text, type_in, until

pytestmark = pytest.mark.anyio

PAPER = PaperRef("a" * 64, "基于注意力机制的神经机器翻译研究综述", "/论文.pdf", 8)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.private() as store:
        for mode, paper, exchanges in (
            ("paper", PAPER, [("How large is the graph?", "46 million nodes."), ("数据集是什么？", None)]),
            ("support", None, [("I feel [b]lost[/b]", "I am here.")]),
        ):
            session = begin(mode, paper, "scripted")  # type: ignore[arg-type]
            for question, answer in exchanges:
                exchange = store.ask(session, question)
                store.settle(exchange, answer) if answer else store.stop(exchange)
        yield store


def screen_of(store: Store, folder: Path | None = None) -> SessionsScreen:
    return SessionsScreen(store.recent(), store.load, store.delete, Exports(), folder)


class Exports(list[tuple[str, Export]]):
    def __call__(self, session: str, how: Export) -> None:
        self.append((session, how))


def preview(screen: SessionsScreen) -> str:
    return str(screen.query_one("#preview Static", Static).content)


@pytest.mark.parametrize("size", SIZES)
async def test_conversations_are_listed_and_previewed(store: Store, size: tuple[int, int]) -> None:
    screen = screen_of(store)
    app = Host(screen)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "I am here." in preview(screen))
        assert listed(screen) == ["I feel [b]lost[/b]", "数据集是什么？"]
        await pilot.press("down")
        await until(pilot, lambda: "46 million nodes." in preview(screen))
        assert "❯ How large is the graph?" in preview(screen)
        assert "■ stopped" in preview(screen)
        text = "\n".join(screen_text(app))
        assert "2 questions" in text
        assert "companion" in text
        assert "基于注意力" in text


async def test_enter_resumes(store: Store) -> None:
    app = Host(screen_of(store))
    async with app.run_test() as pilot:
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.left == [store.recent()[1].session.id])


async def test_the_filter_looks_at_questions_and_papers(store: Store) -> None:
    screen = screen_of(store)
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("slash")
        await type_in(pilot, "注意力")
        await until(pilot, lambda: listed(screen) == ["数据集是什么？"])
        await pilot.press("enter")
        await until(pilot, lambda: app.left == [store.recent()[1].session.id])


async def test_deleting_asks_first(store: Store) -> None:
    screen = screen_of(store)
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "I feel [b]lost[/b]" in "\n".join(screen_text(app))
        await pilot.press("enter")  # the focus is on No
        await until(pilot, lambda: app.screen is screen)
        assert len(store.recent()) == 2
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: listed(screen) == ["数据集是什么？"])
        assert len(store.recent()) == 1
        await until(pilot, lambda: "46 million" in preview(screen))


async def test_the_last_one_deleted_leaves_an_empty_list_that_says_so(store: Store) -> None:
    screen = screen_of(store)
    app = Host(screen)
    async with app.run_test() as pilot:
        for left in (1, 0):
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.click("#yes")
            await until(pilot, lambda left=left: len(listed(screen)) == left)
        await until(pilot, lambda: "No conversation" in "".join(screen_text(app)))
        assert preview(screen) == ""
        await pilot.press("d", "e", "enter")
        await pilot.pause(0.1)
        assert app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


async def test_an_empty_store_says_what_will_be_here() -> None:
    with Store.private() as store:
        app = Host(screen_of(store))
        async with app.run_test() as pilot:
            await until(pilot, lambda: "No conversation is kept yet" in "".join(screen_text(app)))


async def test_what_the_disk_refuses_is_said(store: Store) -> None:
    def refuse(session: str) -> None:
        raise DataError("the disk is full", hint="free some space")

    screen = SessionsScreen(store.recent(), refuse, refuse, Exports())  # type: ignore[arg-type]
    app = Host(screen)
    async with app.run_test(notifications=True) as pilot:
        await until(pilot, lambda: "✗ the disk is full" in preview(screen))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: "free some space" in "".join(screen_text(app)))
        assert len(listed(screen)) == 2


async def test_exporting_names_the_file_after_the_paper(store: Store, tmp_path: Path) -> None:
    exports = Exports()
    app = Host(SessionsScreen(store.recent(), store.load, store.delete, exports, tmp_path))
    async with app.run_test() as pilot:
        await pilot.press("down", "e")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        await pilot.press("down", "enter")
        await until(pilot, lambda: exports)
        file = tmp_path / "基于注意力机制的神经机器翻译研究综述.json"
        assert exports == [(store.recent()[1].session.id, Export("json", file))]


async def test_the_confirmation_can_be_answered_with_the_arrows(store: Store) -> None:
    screen = ConfirmScreen("Really?", "Delete")
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(screen.focused, Button) and screen.focused.id == "no")
        await pilot.press("left", "enter")
        await until(pilot, lambda: app.left == [True])
