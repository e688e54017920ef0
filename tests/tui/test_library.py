from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from textual.widgets import Input

from mozi_cli.tui.choices import Choices
from mozi_cli.tui.library_screen import LibraryScreen
from mozi_cli.tui.open_screen import OpenScreen
from mozi_cli.tui.rows import paper_row, when
from mozi_engine.sessions.conversations import LibraryEntry, PaperRef
from mozi_engine.settings import Settings
from tests.tui.chat import Model, chatting, shown
from tests.tui.host import SIZES, Host, entry, listed, screen_text, type_in, until

pytestmark = pytest.mark.anyio


def papers() -> list[LibraryEntry]:
    return [
        entry("Content-Based Citation Recommendation", "/papers/N18-3011.pdf", questions=3),
        entry(
            "基于注意力机制的神经机器翻译研究综述：从循环网络到自注意力" * 3,
            "/论文/注意力.pdf",
            days=1,
            questions=1,
        ),
        entry("", "https://example.org/x/scan.pdf", days=800, pages=1),
        entry("A [b]bold[/b] \n title", "x.pdf"),
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_the_papers_stand_there_with_what_is_known_of_them(size: tuple[int, int]) -> None:
    shown = papers()
    app = Host(LibraryScreen(shown, {shown[0].paper.id}))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "scan.pdf" in "".join(screen_text(app)))
        text = "\n".join(screen_text(app))
        assert "3 questions · ✓ read by the model" in text
        assert "1 question\n" in text.replace(" ", "\n").replace("1\nquestion", "1 question")
        assert "1 page ·" in text
        assert "A [b]bold[/b] title" in text
        assert "…" in text  # the long title is cut, not wrapped
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["/papers/N18-3011.pdf"])


async def test_filter_then_choose() -> None:
    screen = LibraryScreen(papers())
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("slash")
        await type_in(pilot, "scan")
        await until(pilot, lambda: listed(screen) == ["scan.pdf"])
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["https://example.org/x/scan.pdf"])


async def test_a_filter_that_leaves_nothing_says_so_and_escape_brings_all_back() -> None:
    screen = LibraryScreen(papers())
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("slash")
        await type_in(pilot, "qqqq")
        await until(pilot, lambda: "no paper like that" in "".join(screen_text(app)))
        await pilot.press("enter")
        assert app.left == []
        await pilot.press("escape")
        await until(pilot, lambda: len(listed(screen)) == 4)
        assert isinstance(screen.focused, Choices)
        assert screen.query_one(Input).value == ""
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


async def test_the_keys_of_lists_work_as_in_vi() -> None:
    screen = LibraryScreen(papers())
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("j", "j", "k")
        assert screen.query_one(Choices).highlighted == 1
        await pilot.press("G")
        assert screen.query_one(Choices).highlighted == 3
        await pilot.press("g", "slash", "down", "enter")
        await until(pilot, lambda: app.left == ["/论文/注意力.pdf"])


@pytest.mark.parametrize("size", SIZES)
async def test_an_empty_library_says_what_to_do_first(size: tuple[int, int]) -> None:
    app = Host(LibraryScreen([]))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "No paper yet." in "".join(screen_text(app)))
        assert "Ctrl+O" in "".join(screen_text(app))
        assert "arxiv:1805.02262" in "".join(screen_text(app))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        await type_in(pilot, "1805.02262")
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["1805.02262"])


async def test_an_empty_library_names_the_key_that_was_chosen() -> None:
    settings = Settings(engine="remote", base_url="http://127.0.0.1:9/v1", keys=(("open", "f7"),))
    async with chatting(Model([]), settings=settings) as (app, pilot):
        await until(pilot, lambda: "Press F7 and give" in shown(app))
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))


async def test_opening_another_may_be_called_off() -> None:
    app = Host(LibraryScreen(papers()))
    async with app.run_test() as pilot:
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        assert app.left == []


def test_the_same_file_opened_as_two_papers_is_one_entry() -> None:
    assert paper_row(entry("Old", "x.pdf"), NOW).id == paper_row(entry("New", "x.pdf"), NOW).id


async def test_two_papers_of_one_place_are_listed_once() -> None:
    screen = LibraryScreen([entry("Old", "x.pdf"), entry("New", "x.pdf")])
    async with Host(screen).run_test() as pilot:
        await until(pilot, lambda: len(listed(screen)) == 1)


NOW = datetime(2026, 3, 2, 12, 0, tzinfo=timezone(timedelta(hours=9)))


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOW - timedelta(hours=3), "today 09:00"),
        (NOW - timedelta(hours=13), "yesterday 23:00"),
        (NOW - timedelta(days=20), "10 Feb"),
        (NOW - timedelta(days=70), "2025-12-22"),
        (NOW + timedelta(days=3), "today 12:00"),
        (NOW.astimezone(UTC), "today 12:00"),
    ],
)
def test_moments_are_said_in_local_time(moment: datetime, said: str) -> None:
    assert when(moment, NOW) == said


def test_a_paper_without_a_title_is_called_by_its_file() -> None:
    paper = PaperRef("a" * 64, " \n", "arxiv:1805.02262", 8)
    assert paper_row(LibraryEntry(paper, NOW, 0), NOW).title == "arxiv:1805.02262"
