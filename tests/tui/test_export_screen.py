from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.export_screen import Export, ExportScreen, file_name
from tests.tui.host import SIZES, Host, said, screen_text, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("downs", "kind", "ending"), [(0, "markdown", "md"), (1, "json", "json"), (2, "bibtex", "bib")]
)
async def test_a_format_has_its_ending(
    tmp_path: Path, size: tuple[int, int], downs: int, kind: str, ending: str
) -> None:
    app = Host(ExportScreen("论文", tmp_path))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "BibTeX + quotes" in "".join(screen_text(app)))
        await pilot.press(*["down"] * downs, "enter")
        await until(pilot, lambda: app.left == [Export(kind, tmp_path / f"论文.{ending}")])  # type: ignore[arg-type]


async def test_another_name_keeps_its_stem_when_the_format_changes(tmp_path: Path) -> None:
    screen = ExportScreen("paper", tmp_path)
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: screen.query_one(Input).value.endswith("paper.md"))
        screen.query_one(Input).value = str(tmp_path / "v1.2 notes.md")
        await pilot.press("down")
        await until(pilot, lambda: screen.query_one(Input).value == str(tmp_path / "v1.2 notes.json"))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: app.left == [Export("json", tmp_path / "v1.2 notes.json")])


async def test_a_file_that_is_there_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "paper.md").write_text("mine")
    screen = ExportScreen("paper", tmp_path)
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert app.left == []
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.left == [Export("markdown", tmp_path / "paper.md")])
    assert (tmp_path / "paper.md").read_text() == "mine"


async def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    screen = ExportScreen("paper", tmp_path)
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: screen.query_one(Input).value)
        for value, wrong in (
            (str(tmp_path), "is a folder: add a file’s name"),
            ("", "is a folder"),
            (f"{tmp_path}/nowhere/x.md", f"there is no folder {tmp_path}/nowhere"),
            (f"{tmp_path}/{'x' * 300}.md", "File name too long"),
        ):
            screen.query_one(Input).value = value
            await pilot.press("enter")
            await until(pilot, lambda wrong=wrong: wrong in said(screen))
        assert app.left == []
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


def test_a_name_is_made_of_a_title() -> None:
    assert file_name("Content-Based Citation: A/B?") == "content-based-citation-a-b"
    assert file_name("论文 标题") == "论文-标题"
    assert file_name("../..") == "conversation"


@given(st.text())
def test_a_name_is_safe_everywhere(title: str) -> None:
    name = file_name(title)
    assert 0 < len(name) <= 60
    assert not set(name) & set('/\\:*?"<>|. \0\n')
