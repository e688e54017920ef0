from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from mozi_cli.tui.choices import Choices
from mozi_cli.tui.open_screen import OpenScreen
from tests.tui.host import SIZES, Host, entry, listed, said, screen_text, type_in, until

pytestmark = pytest.mark.anyio

PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    there = tmp_path / "here"
    (there / "my papers").mkdir(parents=True)
    (there / "my papers" / "论 文.pdf").write_bytes(PDF)
    (there / "graph.pdf").write_bytes(PDF)
    (there / "fake.pdf").write_text("<html>")
    monkeypatch.chdir(there)
    monkeypatch.setenv("HOME", str(there))
    return there


def recent() -> list:
    return [
        entry("Content-Based Citation Recommendation", "/papers/N18-3011.pdf", questions=3),
        entry("基于注意力机制的研究", "arxiv:1805.02262"),
        entry("Attention Is All You Need", "https://arxiv.org/abs/1706.03762"),
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_papers_opened_before_are_listed_and_enter_opens_the_last(size: tuple[int, int]) -> None:
    screen = OpenScreen([entry("基于注意力", "arxiv:1805.02262"), *recent()])
    app = Host(screen)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(listed(screen)) == 3)
        assert any("基于注意力" in line for line in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["arxiv:1805.02262"])


async def test_a_fuzzy_word_finds_a_paper() -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        await type_in(pilot, "attn need")
        await until(pilot, lambda: listed(screen) == ["Attention Is All You Need"])
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["https://arxiv.org/abs/1706.03762"])


async def test_the_arrows_choose_from_the_list() -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(listed(screen)) == 3)
        await pilot.press("down", "down", "up", "enter")
        await until(pilot, lambda: app.left == ["arxiv:1805.02262"])


async def test_tab_completes_folders_spaces_and_chinese(folder: Path) -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        await type_in(pilot, "~/my")
        await pilot.press("tab")
        await until(pilot, lambda: screen.query_one(Input).value == "~/my papers/")
        await until(pilot, lambda: listed(screen) == ["~/my papers/论 文.pdf"])
        await pilot.press("tab")
        await until(pilot, lambda: screen.query_one(Input).value == "~/my papers/论 文.pdf")
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["~/my papers/论 文.pdf"])


async def test_a_folder_that_is_chosen_is_looked_into(folder: Path) -> None:
    screen = OpenScreen()
    app = Host(screen)
    async with app.run_test() as pilot:
        await type_in(pilot, "./")
        await until(pilot, lambda: len(listed(screen)) == 3)
        assert screen.query_one(Choices).chosen is None
        await pilot.press("down", "enter")
        await until(pilot, lambda: screen.query_one(Input).value == "./my papers/")
        await pilot.press("enter")
        await until(pilot, lambda: "is a directory" in said(screen))
        assert app.left == []


@pytest.mark.parametrize(
    ("typed", "reference"),
    [
        ("arxiv:1805.02262", "arxiv:1805.02262"),
        ("1805.02262", "1805.02262"),
        ("https://arxiv.org/abs/1805.02262v2", "https://arxiv.org/abs/1805.02262v2"),
        ("https://example.org/a.pdf", "https://example.org/a.pdf"),
        ("graph.pdf", "graph.pdf"),
        ("'graph.pdf'", "graph.pdf"),
    ],
)
async def test_what_is_typed_is_opened(folder: Path, typed: str, reference: str) -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: app.left == [reference])


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("/nowhere/paper.pdf", "no such file: /nowhere/paper.pdf"),
        ("nothing like that.pdf", "no such file"),
        ("zzz qqq", "no such file: zzz qqq"),
        ("fake.pdf", "fake.pdf is not a PDF"),
        ("arxiv:18", "'18' is not an arXiv id"),
        ("ftp://x.org/a.pdf", "ftp:// is not supported"),
        ("~nobody-of-this-name/x.pdf", "no such file"),
        ("[b]x[/b].pdf", "no such file: [b]x[/b].pdf"),
    ],
)
async def test_what_is_wrong_is_said_in_place(folder: Path, typed: str, wrong: str) -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: wrong in said(screen))
        assert said(screen).startswith("✗ ")
        assert app.left == []
        assert screen.query_one(Input).value == typed
        await pilot.press("backspace")
        await until(pilot, lambda: not said(screen).startswith("✗"))


async def test_enter_right_after_typing_means_what_was_typed(folder: Path) -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        await type_in(pilot, "gra")
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["graph.pdf"])


async def test_nothing_to_choose_and_nothing_typed_does_nothing_and_escape_leaves() -> None:
    app = Host(OpenScreen())
    async with app.run_test() as pilot:
        await pilot.press("enter", "tab", "down", "up")
        await pilot.pause(0.1)
        assert app.left == []
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


async def test_a_click_opens() -> None:
    screen = OpenScreen(recent())
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(listed(screen)) == 3)
        await pilot.click(Choices, offset=(5, 2))
        await until(pilot, lambda: app.left == ["arxiv:1805.02262"])
