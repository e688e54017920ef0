from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_cli.tui import paths


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one.pdf", "One two.PDF", "论文.pdf", "notes.txt", ".hidden.pdf"):
        (tmp_path / name).touch()
    (tmp_path / "onward").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_folders_and_pdfs_are_offered_folders_first(folder: Path) -> None:
    assert paths.complete("on") == ["onward/", "One two.PDF", "one.pdf"]
    assert paths.complete(f"{folder}/on") == [f"{folder}/{name}" for name in paths.complete("on")]


def test_what_was_typed_keeps_its_spelling(folder: Path) -> None:
    assert paths.complete("~/论") == ["~/论文.pdf"]
    assert paths.complete("./onw") == ["./onward/"]
    assert "~/onward/" in paths.complete("~")


def test_hidden_names_are_found_by_their_dot(folder: Path) -> None:
    assert paths.complete(".h") == [".hidden.pdf"]
    assert ".hidden.pdf" not in paths.complete("")


def test_accents_are_alike_however_they_are_written(folder: Path) -> None:
    (folder / unicodedata.normalize("NFD", "Ärzte.pdf")).touch()
    assert paths.complete("är") == [unicodedata.normalize("NFD", "Ärzte.pdf")]


@pytest.mark.parametrize("typed", ["nowhere/x", "one.pdf/", "\0", "~nobody/x", "a" * 5000])
def test_where_there_is_nothing_nothing_is_offered(folder: Path, typed: str) -> None:
    assert paths.complete(typed) == []


def test_a_link_that_leads_nowhere_is_no_folder(folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    assert paths.complete("lo") == []


def test_tab_goes_as_far_as_is_certain() -> None:
    assert paths.further("pa", ["papers/", "papaya.pdf"]) == "pap"
    assert paths.further("pa", ["papers/"]) == "papers/"
    assert paths.further("pa", []) == "pa"
    assert paths.further("pa", ["Pa.pdf", "pa.pdf"]) == "pa"


@given(st.text(), st.lists(st.text(min_size=1)))
def test_tab_never_shortens(typed: str, rest: list[str]) -> None:
    assert paths.further(typed, [typed + each for each in rest]).startswith(typed)


@pytest.mark.parametrize(
    ("pasted", "meant"),
    [
        ("'/a b.pdf' ", "/a b.pdf"),
        ('"/a b.pdf"', "/a b.pdf"),
        (r"/a\ b\(1\).pdf", "/a b(1).pdf"),
        ("file:///a%20b.pdf", "/a b.pdf"),
        ("https://x.org/a%20b.pdf", "https://x.org/a%20b.pdf"),
        ("", ""),
        ("'", "'"),
    ],
)
def test_a_path_dropped_onto_the_terminal_is_understood(pasted: str, meant: str) -> None:
    assert paths.unwrapped(pasted) == meant


def test_a_backslash_that_is_in_the_name_stays(folder: Path) -> None:
    (folder / r"a\ b.pdf").touch()
    assert paths.unwrapped(r"a\ b.pdf") == r"a\ b.pdf"


@pytest.mark.parametrize("text", ["a/b", "~", "/x", "paper.pdf", "x.PDF"])
def test_paths_are_told_from_words(text: str) -> None:
    assert paths.is_path(text)
    assert not paths.is_path("attention is all")
