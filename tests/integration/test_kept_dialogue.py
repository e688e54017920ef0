"""A dialogue is kept while it goes on, taken up later, and not kept when it is private."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from mozi_engine.sessions.store import Store
from tests.command import mozi, refusal
from tests.openai_server import OpenAIServer

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are Unix's", allow_module_level=True)

from tests.integration.test_dialogue import AUTHORS, HOW_MANY, ask, leave
from tests.terminal import on_terminal


def chat(server: OpenAIServer, *arguments: object) -> tuple[object, ...]:
    return ("chat", "--plain", *arguments, "--base-url", server.url, "--model", "qwen3")


def listed() -> list[dict[str, Any]]:
    return list(json.loads(mozi("sessions", "list", "--json").stdout))


def test_a_dialogue_is_kept_and_goes_on(example_read: Path, openai: OpenAIServer) -> None:
    rewritten = "How many paper nodes does the literature graph have?"
    openai.says(AUTHORS, rewritten, "It has 280M nodes.")
    with on_terminal(*chat(openai, example_read)) as terminal:
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)
    (kept,) = listed()
    assert (kept["questions"], kept["last_question"], kept["model"]) == (1, HOW_MANY, "qwen3")
    assert kept["paper"]["reference"] == str(example_read)

    with on_terminal(*chat(openai, "--resume")) as terminal:
        terminal.until("going on after 1 question")
        terminal.until(f"> {HOW_MANY}")
        terminal.until(f"{AUTHORS} [1]")
        ask(terminal, "and those of papers?")
        terminal.until(f"searching for: {rewritten}")
        terminal.until("first word after")
        leave(terminal)
    assert f"User: {HOW_MANY}\nAssistant: {AUTHORS}\nUser: and those of papers?" in openai.prompts()[1]
    (kept,) = listed()
    assert (kept["questions"], kept["last_question"]) == (2, "and those of papers?")

    exported = json.loads(mozi("sessions", "export", kept["id"][:4], "-f", "json").stdout)
    answered, _ = exported["exchanges"]
    (citation,) = answered["citations"]
    assert citation["quote"] == AUTHORS
    assert citation["boxes"]
    shown = mozi("sessions", "show", kept["id"]).stdout
    assert f"> {HOW_MANY}\n{AUTHORS} [1]" in shown


def test_a_stopped_a_failed_and_a_killed_answer_are_kept_as_such(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says_without_end("endless")
    openai.breaks_off_after("More than")
    openai.says_without_end("unfinished")
    with on_terminal(*chat(openai, example_read)) as terminal:
        ask(terminal, HOW_MANY)
        terminal.until("endless endless")
        terminal.interrupt()
        terminal.until("stopped")
        ask(terminal, HOW_MANY)
        terminal.until("broke off in the middle of its answer")
        ask(terminal, HOW_MANY)
        terminal.until("unfinished unfinished")
        terminal.kill()
    (kept,) = listed()
    exported = json.loads(mozi("sessions", "export", kept["id"], "-f", "json").stdout)
    stopped, failed, killed = exported["exchanges"]
    assert stopped["answer"].startswith("endless endless")
    assert (failed["answer"], failed["state"]) == ("More than", "failed")
    assert "broke off" in failed["detail"]
    assert killed["answer"].startswith("unfinished unfinished")
    assert (stopped["state"], killed["state"]) == ("stopped", "stopped")


def test_a_private_dialogue_leaves_no_word_on_the_disk(
    home: Path, tmp_path: Path, example_read: Path, openai: OpenAIServer
) -> None:
    openai.says("A purple elephant.")
    with on_terminal(*chat(openai, example_read, "--private")) as terminal:
        ask(terminal, "What about the crimson giraffe?")
        terminal.until("purple elephant")
        leave(terminal)
    assert not (home / "data").exists()
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert written  # what was read of the paper
    assert not any(word in file for file in written for word in (b"giraffe", b"elephant"))


def test_a_paper_that_moved_is_asked_for(tmp_path: Path, example_read: Path, openai: OpenAIServer) -> None:
    here = shutil.copy(example_read, tmp_path / "here.pdf")
    openai.says(AUTHORS, AUTHORS)
    with on_terminal(*chat(openai, "--paper", here)) as terminal:
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)
    there = shutil.move(here, tmp_path / "there.pdf")
    (kept,) = listed()
    with on_terminal(*chat(openai, "--resume", kept["id"][:6])) as terminal:
        code, said = terminal.leave()
    assert code == 1
    assert f"the paper is not at {here} any more" in said
    assert f"mozi chat --resume {kept['id'][:8]} --paper PAPER" in said
    with on_terminal(*chat(openai, "--resume", kept["id"], "--paper", there)) as terminal:
        terminal.until("going on after 1 question")
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)


def test_a_store_that_cannot_be_used_costs_the_record_and_not_the_dialogue(
    home: Path, example_read: Path, openai: OpenAIServer
) -> None:
    Store.open().close()
    with sqlite3.connect(home / "data" / "sessions.db") as file:
        file.execute("PRAGMA user_version = 99")
    openai.says(AUTHORS)
    with on_terminal(*chat(openai, example_read)) as terminal:
        terminal.until("written by a newer mozi")
        terminal.until("this conversation is not kept")
        ask(terminal, HOW_MANY)
        terminal.until(f"{AUTHORS} [1]")
        leave(terminal)


def test_only_a_dialogue_goes_on(example_read: Path) -> None:
    assert "--resume goes on with a dialogue" in mozi("chat", "--resume", "--ask", "Why?").stderr
    assert "two papers" in mozi("chat", "a.pdf", "--paper", "b.pdf", "--ask", "Why?").stderr
    assert "name a paper" in mozi("chat", "--ask", "Why?").stderr


def test_there_may_be_nothing_to_go_on_with(openai: OpenAIServer) -> None:
    with on_terminal(*chat(openai, "--resume")) as terminal:
        assert "no conversation to go on with" in terminal.leave()[1]
    with on_terminal(*chat(openai, "--resume", "abc")) as terminal:
        assert "no conversation begins with 'abc'" in terminal.leave()[1]
    assert "no conversation begins with 'abc'" in refusal(mozi("sessions", "show", "abc"))[0]
