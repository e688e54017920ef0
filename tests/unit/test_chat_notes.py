"""What a person is told beside the answers: what they were made from, and what the model has not read."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mozi_cli import chat, console, opening
from mozi_engine.indexing import Indexed, index
from mozi_engine.reading import RESERVED, Reading
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings
from tests.openai_server import OpenAIServer
from tests.unit.test_reading import Reader

HOW_MANY = "How many author nodes does the literature graph have?"
LEFT_OUT = "longer than the context; known from passages only: "
TORCH = Settings(engine="torch")  # one whose model is not fetched


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """One whose context does not hold the example, in the place of a real one."""
    reader = Reader()
    monkeypatch.setattr(opening.engines, "load", lambda _: reader)
    return reader


def run(
    paper: Path, *asked: str, settings: Settings = TORCH, whole: bool = False, as_json: bool = False
) -> None:
    decoding = GenerationSettings()
    chat.run(str(paper), asked, settings, decoding, password=None, as_json=as_json, whole=whole, private=True)


def read_before(paper: Path, model: Reader) -> None:
    *_, indexed = index(paper, TORCH, Encoder())
    assert isinstance(indexed, Indexed)
    list(Reading(indexed.paper, model, 10**9).steps())


def typed(monkeypatch: pytest.MonkeyPatch, questions: Sequence[str]) -> None:
    asked = iter([*questions, None])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(console, "ask", lambda: next(asked))


def test_questions_about_a_long_paper_that_was_read_before_say_once_what_was_left_out(
    example_read: Path, model: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    read_before(example_read, model)
    run(example_read, HOW_MANY, HOW_MANY)
    assert capsys.readouterr().err.count(LEFT_OUT) == 1


def test_of_a_paper_that_is_known_whole_nothing_is_said_to_be_left_out(
    example_read: Path, model: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    model.context = RESERVED + 10**6
    read_before(example_read, model)
    run(example_read, HOW_MANY)
    assert LEFT_OUT not in capsys.readouterr().err


def test_a_long_paper_that_a_server_is_sent_says_what_was_left_out(
    example_read: Path, openai: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    openai.says("12M.")
    remote = Settings(engine="remote", base_url=openai.url, context=RESERVED + 2000)
    run(example_read, HOW_MANY, settings=remote, whole=True)
    assert capsys.readouterr().err.count(LEFT_OUT) == 1


@pytest.mark.parametrize("before", [True, False])
def test_a_dialogue_says_once_what_was_left_out_when_all_else_is_read(
    example_read: Path,
    model: Reader,
    before: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if before:
        read_before(example_read, model)
    typed(monkeypatch, [HOW_MANY] * 3)
    end = chat._tell_how_far

    def at_the_end(dialogue: chat.Dialogue) -> bool:
        assert dialogue.background
        dialogue.background._thread.join(60)
        return end(dialogue)

    monkeypatch.setattr(chat, "_tell_how_far", at_the_end)
    run(example_read)
    assert capsys.readouterr().err.count(LEFT_OUT) == 1


def test_a_dialogue_behind_the_whole_reading_says_once_what_was_left_out(
    example_read: Path,
    model: Reader,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(monkeypatch, [HOW_MANY] * 2)
    run(example_read, whole=True)
    assert capsys.readouterr().err.count(LEFT_OUT) == 1


def test_questions_answered_from_passages_say_so_once_and_how_to_have_the_whole_paper(
    example_read: Path, model: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    run(example_read, HOW_MANY, HOW_MANY)
    assert capsys.readouterr().err.count("answered from passages; with --whole") == 1
    run(example_read, HOW_MANY, whole=True)
    assert "answered from passages" not in capsys.readouterr().err


def test_a_program_is_told_of_every_answer_what_it_was_made_from(
    example_read: Path, model: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    run(example_read, HOW_MANY, as_json=True)
    read_before(example_read, model)
    run(example_read, HOW_MANY, as_json=True)
    told = capsys.readouterr()
    assert [json.loads(line)["from"] for line in told.out.splitlines()] == ["passages", "paper"]
    assert "answered from passages" not in told.err
