"""A dialogue on a real terminal, with a server in the model's place."""

from __future__ import annotations

import sys
from pathlib import Path

import pymupdf
import pytest

from tests.openai_server import OpenAIServer

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are Unix's", allow_module_level=True)

from tests.terminal import Terminal, on_terminal

HOW_MANY = "How many author nodes does the literature graph have?"
AUTHORS = "The literature graph has 12M nodes of this type."
PROMPT = "\n> "


def dialogue(server: OpenAIServer, paper: Path) -> tuple[object, ...]:
    return (
        "chat",
        "--plain",
        "--engine",
        "remote",
        "--base-url",
        server.url,
        "--model",
        "qwen3",
        "--paper",
        paper,
    )


def ask(terminal: Terminal, question: str) -> None:
    terminal.until(PROMPT)
    terminal.type(f"{question}\r")


def leave(terminal: Terminal) -> None:
    terminal.until(PROMPT)
    terminal.type("\x04")
    code, last = terminal.leave()
    assert (code, last.strip()) == (0, "")


def test_questions_are_answered_and_follow_ups_are_understood(
    example_read: Path, openai: OpenAIServer
) -> None:
    rewritten = "How many paper nodes does the literature graph have?"
    openai.says(AUTHORS, rewritten, "Not in the paper.", "More of it. Pigs fly 99 times.")
    with on_terminal(*dialogue(openai, example_read)) as terminal:
        assert "Construction of the Literature Graph" in terminal.until("Ctrl-D leaves.")
        ask(terminal, HOW_MANY)
        assert "1 page 2, 2.1 Node Types: Authors." in terminal.until(f"{AUTHORS} [1]")
        terminal.until("[1] page 2, 2.1 Node Types")
        terminal.until(AUTHORS)
        assert "first word after" in terminal.until("qwen3")

        ask(terminal, "and those of papers?")
        terminal.until(f"searching for: {rewritten}")
        terminal.until("Not in the paper.")
        terminal.until("Nearest: page")

        ask(terminal, "")
        ask(terminal, "   ")
        leave(terminal)
    assert len(openai.requests) == 3
    rewriting, answering = openai.prompts()[1:]
    assert f"User: {HOW_MANY}\nAssistant: {AUTHORS}\nUser: and those of papers?" in rewriting
    assert f"Question: and those of papers? ({rewritten})" in answering


def test_ctrl_c_stops_the_answer_and_not_the_dialogue(example_read: Path, openai: OpenAIServer) -> None:
    openai.says_without_end("endless")
    openai.says(AUTHORS)
    with on_terminal(*dialogue(openai, example_read)) as terminal:
        ask(terminal, HOW_MANY)
        terminal.until("endless endless")
        terminal.interrupt()
        terminal.until("stopped")
        assert openai.hung_up.wait(30)
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)
    # What was stopped is not part of the conversation: the second question is a first one.
    assert len(openai.requests) == 2


def test_an_error_is_told_and_the_dialogue_goes_on(example_read: Path, openai: OpenAIServer) -> None:
    openai.breaks_off_after("More than")
    openai.says(AUTHORS)
    with on_terminal(*dialogue(openai, example_read)) as terminal:
        ask(terminal, HOW_MANY)
        terminal.until("broke off in the middle of its answer")
        ask(terminal, "why " * 600)
        terminal.until("mozi: the question has 2,399 characters; the limit is 2,000")
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)


def test_ctrl_c_at_the_prompt_drops_the_line_and_keeps_the_session(
    example_read: Path, openai: OpenAIServer
) -> None:
    with on_terminal(*dialogue(openai, example_read)) as terminal:
        terminal.until(PROMPT)
        # Python sees a Ctrl-C that comes between its prompt and its wait for keys at the next key only.
        terminal.type("\x03\r")
        terminal.until("\nCtrl-D leaves")
        leave(terminal)


def test_ctrl_c_ends_a_command_that_only_had_questions_to_answer(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says_without_end("endless")
    with on_terminal(*dialogue(openai, example_read), "--ask", HOW_MANY) as terminal:
        terminal.until("endless endless")
        terminal.interrupt()
        code, said = terminal.leave()
        assert code != 0
        assert "Traceback" not in said
    assert openai.hung_up.wait(30)


def test_a_password_is_asked_for_until_it_opens_the_paper(tmp_path: Path, openai: OpenAIServer) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), AUTHORS)
    locked = tmp_path / "locked.pdf"
    document.save(locked, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="owner")
    openai.says(AUTHORS)
    with on_terminal(*dialogue(openai, locked)) as terminal:
        terminal.until("locked.pdf needs a password")
        terminal.until("Password: ")
        terminal.type("guess\r")
        assert "guess" not in terminal.until("the password does not open locked.pdf")
        terminal.until("Password: ")
        terminal.type("sesame\r")
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)


def test_nobody_who_has_no_password_is_kept_at_the_prompt(tmp_path: Path, openai: OpenAIServer) -> None:
    locked = tmp_path / "locked.pdf"
    document = pymupdf.open()
    document.new_page()
    document.save(locked, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="owner")
    with on_terminal(*dialogue(openai, locked)) as terminal:
        terminal.until("Password: ")
        terminal.interrupt()
        code, said = terminal.leave()
        assert code != 0
        assert "Traceback" not in said
