"""What is told apart from the answers is one line, however narrow the terminal and odd the words."""

from __future__ import annotations

import pytest

from mozi_cli import console
from mozi_engine.errors import MoziError, ServerError

LONG = "no answer from http://127.0.0.1:11434/v1/chat/completions: " + "connection refused, " * 10


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")


@pytest.mark.parametrize("message", [LONG.strip(), "no such file: [bold]a[/bold] [/].pdf", "没有这个文件"])
def test_a_failure_is_one_line_and_its_next_step_another(
    capsys: pytest.CaptureFixture[str], message: str
) -> None:
    console.failure(ServerError(message, hint=f"try: {message}"))
    told = capsys.readouterr()
    assert told.err.splitlines() == [f"mozi: {message}", f"  try: {message}"]
    assert told.out == ""


def test_without_a_next_step_there_is_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.failure(MoziError("it rains"))
    assert capsys.readouterr().err == "mozi: it rains\n"


def test_notes_are_not_among_the_answers(capsys: pytest.CaptureFixture[str]) -> None:
    console.note(LONG)
    told = capsys.readouterr()
    assert (told.out, told.err.rstrip("\n")) == ("", LONG)


def test_questions_stand_above_their_answers_as_they_were_asked(capsys: pytest.CaptureFixture[str]) -> None:
    console.heading("Is [this] a list, and how long may a question be?", first=True)
    console.heading("And now?", first=False)
    shown = capsys.readouterr().out
    assert shown == "> Is [this] a list, and how long may a question be?\n\n> And now?\n"


@pytest.mark.parametrize(("pressed", "asked"), [(EOFError, None), (KeyboardInterrupt, "")])
def test_ctrl_d_leaves_and_ctrl_c_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, pressed: type[BaseException], asked: str | None
) -> None:
    def press(prompt: str) -> str:
        raise pressed

    monkeypatch.setattr("builtins.input", press)
    assert console.ask() == asked
