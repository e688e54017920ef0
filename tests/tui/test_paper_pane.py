from __future__ import annotations

import base64
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pymupdf
import pytest
from PIL import Image
from textual import on
from textual.app import App, ComposeResult
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Input

import mozi_cli.tui
from mozi_cli.tui.graphics import Graphics
from mozi_cli.tui.page_view import CURRENT_SIGN, MARK_SIGN
from mozi_cli.tui.paper_pane import PaperPane
from mozi_cli.tui.theme import THEMES
from mozi_engine.paper import opening
from mozi_engine.paper.passages import split
from mozi_engine.types import Box, Paper, boxes_of
from tests import papers
from tests.tui.host import SIZES, screen_text, type_in, until

pytestmark = pytest.mark.anyio

KITTY, SIXEL = Graphics("kitty", (10, 20)), Graphics("sixel", (10, 20))


class Reader(App[None]):
    """A page pane, and what it told."""

    CSS_PATH = Path(mozi_cli.tui.__file__).parent / "mozi.tcss"

    def __init__(self, graphics: Graphics | None = None) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "mozi-dark"
        self.pane, self.turned = PaperPane(graphics), []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    @on(PaperPane.PageTurned)
    def note(self, event: PaperPane.PageTurned) -> None:
        self.turned.append((event.page, event.pages))


@asynccontextmanager
async def reading(
    paper: Paper,
    path: Path = Path("none.pdf"),
    *,
    size: tuple[int, int] = (80, 24),
    graphics: Graphics | None = None,
) -> AsyncIterator[tuple[Reader, Pilot[None]]]:
    app = Reader(graphics)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.pane.show(paper, path)
        await pilot.pause()
        yield app, pilot


def book(count: int = 5) -> Paper:
    return papers.paper(*(item for page in range(1, count + 1) for item in papers.filler(page)), pages=count)


def boxes(paper: Paper, text: str) -> tuple[Box, ...]:
    """Where the text is printed, for the first time."""
    for section in paper.sections:
        for paragraph in section.paragraphs:
            if (start := paragraph.text.find(text)) >= 0:
                return boxes_of(paragraph.words, start, start + len(text))
    raise AssertionError(text)


def lines_with(app: Reader, text: str) -> list[str]:
    return [row for row in screen_text(app) if text in row]


def style_at(app: Reader, text: str) -> tuple[Color | None, bool]:
    """The background of the first of these words on the screen, and whether they are underlined."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if text in segment.text and segment.style:
                return segment.style.bgcolor, bool(segment.style.underline)
    raise AssertionError(text)


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_marked_comes_into_view_and_stands_out(size: tuple[int, int]) -> None:
    paper = book()
    async with reading(paper, size=size) as (app, pilot):
        app.pane.mark(boxes(paper, "line 48 of page 3"))
        await pilot.pause()
        assert (app.pane.page, app.turned) == (3, [(1, 5), (3, 5)])
        [row] = lines_with(app, "line 48 of page 3")
        assert MARK_SIGN in row
        assert style_at(app, "line 48 of page 3")[1]
        assert style_at(app, "line 48 of page 3") != style_at(app, "line 49 of page 3")
        app.pane.mark([])
        await pilot.pause()
        assert not lines_with(app, MARK_SIGN)
        assert app.pane.page == 3


@pytest.mark.parametrize("size", SIZES)
async def test_every_passage_of_the_example_is_shown_marked(
    example_read: Path, size: tuple[int, int]
) -> None:
    paper = opening.read_all(example_read)
    async with reading(paper, example_read, size=size) as (app, pilot):
        for passage in split(paper)[::6]:
            app.pane.mark(passage.boxes(0, 40))
            await pilot.pause()
            assert app.pane.page == passage.page
            assert lines_with(app, MARK_SIGN), passage.text


async def test_a_paragraph_that_goes_on_overleaf_is_marked_on_both_pages() -> None:
    paragraph = papers.paragraph(papers.line("the literature", 1), papers.line("graph is large", 2))
    async with reading(papers.paper(paragraph, pages=2)) as (app, pilot):
        app.pane.mark(boxes_of(paragraph.words, 4, 20))
        await pilot.pause()
        assert MARK_SIGN in lines_with(app, "the literature")[0]
        await pilot.press("l")
        assert MARK_SIGN in lines_with(app, "graph is large")[0]


async def test_the_keys_turn_pages_and_scroll() -> None:
    async with reading(book()) as (app, pilot):
        pane = app.pane
        for key, page in [("l", 2), ("right", 3), ("h", 2), ("G", 5), ("l", 5), ("g", 1), ("left", 1)]:
            await pilot.press(key)
            assert pane.page == page
        await pilot.press("j", "j", "k")
        assert lines_with(app, "line 3 of page 1")
        top = screen_text(app)[1]
        await pilot.press("space")
        assert screen_text(app)[1] != top
        await pilot.press("b")
        assert screen_text(app)[1] == top
        while pane.page == 1:
            await pilot.press("space")
        assert lines_with(app, "line 0 of page 2")
        await pilot.press("b")
        assert pane.page == 1
        assert lines_with(app, "line 59 of page 1")
        assert "page 1 of 5" in screen_text(app)[-1]
        assert "Results" in screen_text(app)[0]


async def test_the_keys_are_the_persons_own() -> None:
    async with reading(book()) as (app, pilot):
        app.set_keymap({"page.next": "x"})
        await pilot.press("x", "l")
        assert app.pane.page == 2


async def test_searching_goes_from_place_to_place_and_back() -> None:
    async with reading(book()) as (app, pilot):
        await pilot.press("l", "slash")
        await type_in(pilot, "line 48 of")
        assert app.pane.page == 2
        assert "2 of 5" in screen_text(app)[-2]
        await pilot.press("enter")
        assert CURRENT_SIGN in lines_with(app, "line 48 of page 2")[0]
        for key, found in [("n", 3), ("n", 4), ("N", 3), ("n", 4), ("n", 5), ("n", 1), ("N", 5)]:
            await pilot.press(key)
            assert f"{found} of 5" in screen_text(app)[-1]
            assert lines_with(app, f"line 48 of page {found}")
        await pilot.press("escape")
        assert not lines_with(app, CURRENT_SIGN)
        await pilot.press("n")
        assert app.pane.page == 5


async def test_a_search_left_with_escape_leads_back_to_where_it_began() -> None:
    async with reading(book()) as (app, pilot):
        await pilot.press("l", "j", "j", "j")
        before = screen_text(app)
        await pilot.press("slash")
        await type_in(pilot, "of page 5")
        assert app.pane.page == 5
        await pilot.press("escape")
        assert screen_text(app) == before
        assert app.focused is app.pane


async def test_nothing_found_is_said() -> None:
    async with reading(book()) as (app, pilot):
        await pilot.press("slash")
        await type_in(pilot, "unicorn")
        assert "not found" in screen_text(app)[-2]
        await pilot.press("enter")
        assert app.pane.page == 1


async def test_letters_typed_into_a_search_are_no_commands() -> None:
    async with reading(book()) as (app, pilot):
        await pilot.press("slash", "l", "t", "j", "G", "space", "0")
        assert app.query_one(Input).value == "ltjG 0"
        assert app.pane.page == 1


async def test_resizing_keeps_the_place_and_what_is_marked_in_view() -> None:
    paper = book()
    async with reading(paper, size=(120, 40)) as (app, pilot):
        await pilot.press("l", "space")
        top = re.search(r"line \d+ of page 2", screen_text(app)[1])
        for size in [(60, 24), (200, 60), (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert top
        assert lines_with(app, top[0])
        app.pane.mark(boxes(paper, "line 40 of page 4"))
        for size in [(40, 12), (200, 60), (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert lines_with(app, MARK_SIGN)


async def test_a_better_reading_keeps_page_place_and_marks() -> None:
    first = book()
    better = replace(first, title="New")
    async with reading(first) as (app, pilot):
        app.pane.mark(boxes(first, "line 30 of page 3"))
        await pilot.press("slash")
        await type_in(pilot, "line 30")
        await pilot.press("enter", "j", "j")
        top = screen_text(app)[1]
        app.pane.show(better, Path("none.pdf"))
        await pilot.pause()
        assert app.pane.page == 3
        assert top == screen_text(app)[1]
        assert MARK_SIGN + CURRENT_SIGN in lines_with(app, "line 30 of page 3")[0]
        app.pane.show(papers.paper(*papers.filler(1), identity="b"), Path("other.pdf"))
        await pilot.pause()
        assert (app.pane.page, app.pane.pages) == (1, 1)
        assert not lines_with(app, MARK_SIGN)
        assert app.turned[-1] == (1, 1)


async def test_chinese_fills_its_lines_and_is_marked() -> None:
    text = "我们研究文献图谱的构建方法，并把它用于学术搜索。" * 8
    lines = [papers.characters(text[at : at + 20], y=100 + at) for at in range(0, len(text), 20)]
    paper = papers.paper(papers.paragraph(*lines))
    async with reading(paper, size=(40, 20)) as (app, pilot):
        app.pane.mark(boxes(paper, "学术搜索"))
        await pilot.pause()
        assert style_at(app, "学术搜索")[1]
        assert all("│" in row[-2:] for row in screen_text(app)[1:-1])  # the border stands straight


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        (papers.paper(), "no text on this page"),
        (papers.paper(*papers.filler(2), pages=2, scanned=[1]), "is a scan"),
    ],
)
async def test_a_page_without_text_says_so(paper: Paper, said: str) -> None:
    async with reading(paper) as (app, pilot):
        assert lines_with(app, said)
        await pilot.press("j", "space", "slash", "x", "enter", "n", "t")
        app.pane.mark([Box(1, 0, 0, 10, 10)])
        await pilot.pause()


async def test_a_pane_without_a_paper_takes_every_key() -> None:
    app = Reader()
    async with app.run_test() as pilot:
        await pilot.press(
            "j", "k", "l", "h", "G", "g", "space", "b", "n", "t", "plus", "slash", "x", "escape"
        )
        app.pane.mark([])
        assert (app.pane.page, app.pane.pages, app.turned) == (0, 0, [])


async def test_a_terminal_without_pictures_says_so() -> None:
    async with reading(book()) as (app, pilot):
        await pilot.press("t")
        await until(pilot, lambda: lines_with(app, "cannot show pictures"))


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    document = pymupdf.open()
    for number in range(3):
        page = document.new_page(width=300, height=600)
        for row in range(20):
            page.insert_text((60, 40 + 28 * row), f"Line {row} of page {number + 1}")
    document.save(tmp_path / "pages.pdf")
    return tmp_path / "pages.pdf"


class Screen(io.StringIO):
    """A terminal that remembers the pictures sent to it."""

    @property
    def pictures(self) -> list[Image.Image]:
        sent: dict[str, str] = {}
        for name, piece in re.findall(r"\x1b_Gi=(\d+),m=\d,f=100,q=2;([^\x1b]*)\x1b", self.getvalue()):
            sent[name] = sent.get(name, "") + piece
        return [Image.open(io.BytesIO(base64.b64decode(data))) for data in sent.values()]


@pytest.fixture
def kitty(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(sys, "__stdout__", screen)
    return screen


def drawn(app: Reader) -> tuple[int, ...]:
    """The page whose picture shows, and its width in pixels; nothing before there is one."""
    picture = app.pane._picture and app.pane._picture._picture
    return (picture.drawing.page, picture.drawing.canvas[0]) if picture else ()


def yellow(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """The box round everything that has a marker's colour."""
    bands = picture.convert("RGB").split()
    return Image.merge("RGB", bands).convert("HSV").split()[1].point(lambda s: 255 * (s > 80)).getbbox()


async def test_kitty_shows_the_page_with_the_words_marked(pdf: Path, kitty: Screen) -> None:
    paper = opening.read_all(pdf)
    async with reading(paper, pdf, graphics=KITTY) as (app, pilot):
        await until(pilot, lambda: lines_with(app, "\U0010eeee"))
        assert not any(map(yellow, kitty.pictures))
        mark = boxes(paper, "Line 15 of page 2")[0]
        app.pane.mark([mark])
        await until(pilot, lambda: any(map(yellow, kitty.pictures)))
        picture = next(filter(yellow, kitty.pictures))
        scale = picture.width / 300
        marked = yellow(picture)
        assert marked == pytest.approx(
            (mark.x0 * scale, mark.y0 * scale, mark.x1 * scale, mark.y1 * scale), abs=5
        )
        view = app.pane._view
        assert view.scroll_y < mark.y0 * scale / 20 < view.scroll_y + view.size.height


async def test_zoom_scroll_and_the_way_to_the_text_and_back(pdf: Path, kitty: Screen) -> None:
    async with reading(opening.read_all(pdf), pdf, graphics=KITTY) as (app, pilot):
        await until(pilot, lambda: drawn(app))
        width = drawn(app)[1]
        await pilot.press("plus")
        await until(pilot, lambda: drawn(app)[1] > width)
        await pilot.press("L", "j", "j", "0")
        await until(pilot, lambda: drawn(app)[1] == width)
        await pilot.press("t")
        assert lines_with(app, "of page 1")
        assert not lines_with(app, "\U0010eeee")
        await pilot.press("l", "t")
        assert app.pane.page == 2
        await until(pilot, lambda: lines_with(app, "\U0010eeee"))
        app.pane.show(opening.read_all(pdf), pdf)
        await pilot.resize_terminal(60, 30)
        await until(pilot, lambda: drawn(app) == (2, 580))


async def test_sixels_are_written_over_cells_that_stay_empty(pdf: Path) -> None:
    async with reading(opening.read_all(pdf), pdf, graphics=SIXEL) as (app, pilot):
        await until(pilot, lambda: lines_with(app, "\x1bP"))
        rows = [row for row in screen_text(app) if "\x1b[" in row]
        assert len(rows) == 22
        assert not re.sub(r"\x1b\[[\d;]*H|\x1bP[^\x1b]*\x1b\\|│", "", "".join(rows)).strip()
        before = lines_with(app, "\x1bP")
        await pilot.press("j")
        await until(pilot, lambda: lines_with(app, "\x1bP") not in ([], before))


async def test_a_renderer_that_is_killed_costs_nothing(pdf: Path, kitty: Screen) -> None:
    async with reading(opening.read_all(pdf), pdf, graphics=KITTY) as (app, pilot):
        await until(pilot, lambda: drawn(app))
        assert app.pane._pictures
        assert app.pane._pictures._process
        os.kill(app.pane._pictures._process.pid, signal.SIGKILL)
        await pilot.press("G")
        await until(pilot, lambda: drawn(app)[0] == 3)


async def test_a_file_that_cannot_be_drawn_is_read_as_text(pdf: Path, kitty: Screen) -> None:
    paper = opening.read_all(pdf)
    pdf.unlink()
    async with reading(paper, pdf, graphics=KITTY) as (app, pilot):
        await until(pilot, lambda: lines_with(app, "Line 3 of page 1"))
        await until(pilot, lambda: lines_with(app, "damaged"))


async def test_leaving_ends_the_renderer(pdf: Path, kitty: Screen) -> None:
    async with reading(opening.read_all(pdf), pdf, graphics=KITTY) as (app, pilot):
        await until(pilot, lambda: kitty.pictures)
        assert app.pane._pictures
        process = app.pane._pictures._process
    assert process
    assert process.poll() is not None


async def test_over_ssh_the_text_comes_first(pdf: Path, kitty: Screen) -> None:
    async with reading(opening.read_all(pdf), pdf, graphics=Graphics("kitty", (10, 20), remote=True)) as (
        app,
        pilot,
    ):
        assert lines_with(app, "of page 1")
        await pilot.press("t")
        await until(pilot, lambda: kitty.pictures)


async def test_who_is_at_the_top_stays_there_when_a_better_reading_puts_something_above() -> None:
    items = papers.filler(1)
    async with reading(papers.paper(*items[1:])) as (app, pilot):
        app.pane.show(papers.paper(*items), Path("none.pdf"))
        await pilot.pause()
        assert lines_with(app, "line 0 of page 1")
