"""`mozi chat --support`, line by line, with a server in the model's place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.command import mozi
from tests.openai_server import OpenAIServer

SECRET = "my tapir thesis was rejected"
REPLY = "Being rejected stings. Which part hurts most?"


def support(server: OpenAIServer) -> tuple[str, ...]:
    return ("chat", "--support", "--engine", "remote", "--base-url", server.url, "--model", "qwen3")


def test_it_says_what_it_is_and_replies_and_explains(openai: OpenAIServer) -> None:
    openai.says(REPLY, "It is a lot.")
    ran = mozi(*support(openai), "--explain", "-a", f"I'm so sad, {SECRET}", "-a", "all of it")
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [REPLY, "It is a lot."]
    assert "not a person, and not a clinician" in ran.stderr
    assert "reflection: the person names a feeling" in ran.stderr
    assert REPLY in [turn["content"] for turn in openai.requests[1][2]["messages"]]


def test_lines_of_a_pipe_are_one_conversation(openai: OpenAIServer) -> None:
    openai.says(REPLY, "Good.")
    ran = mozi(*support(openai), stdin=f"{SECRET}\n\nthe second one\n")
    assert ran.stdout.splitlines() == [REPLY, "Good."]


def test_on_risk_the_server_is_not_asked(openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOZI_LOCALE", "IE")
    ran = mozi(*support(openai), "-a", "I want to die", "-a", "what about my deadline")
    assert ran.returncode == 0
    assert ran.stdout.count("116 123") == 2
    assert "Yes or no is enough" in ran.stdout
    assert not openai.requests


@pytest.mark.parametrize("flag", ["--json", "--whole", "--resume"])
def test_what_does_not_go_together_is_refused(openai: OpenAIServer, flag: str) -> None:
    ran = mozi(*support(openai), flag, "-a", "hello")
    assert ran.returncode == 2
    assert "--support" in ran.stderr
    assert not openai.requests


def test_an_empty_message_is_refused_before_a_model_is_loaded(openai: OpenAIServer) -> None:
    ran = mozi(*support(openai), "-a", " ")
    assert (ran.returncode, ran.stderr.splitlines()[0]) == (1, "mozi: the message is empty")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
@pytest.mark.parametrize("private", [True, False])
def test_private_leaves_nothing_on_the_disk(openai: OpenAIServer, home: Path, private: bool) -> None:
    from tests.terminal import on_terminal

    openai.says(REPLY)
    with on_terminal(*support(openai), "--plain", *(["--private"] if private else [])) as terminal:
        terminal.until("\n> ")
        terminal.type(f"{SECRET}\r")
        terminal.until("Which part hurts most?")
        terminal.until("\n> ")
        terminal.type("\x04")
        assert terminal.leave()[0] == 0
    written = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert (SECRET.encode() in written) is not private


ELSEWHERE = ("chat", "--support", "--base-url", "http://model.invalid/v1", "--model", "qwen3")


def test_that_messages_leave_this_machine_is_said(openai: OpenAIServer) -> None:
    openai.says(REPLY)
    assert "leaves this machine" in mozi(*ELSEWHERE, "-a", SECRET).stderr
    assert "leaves this machine" not in mozi(*support(openai), "-a", SECRET).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_a_dialogue_that_leaves_this_machine_is_agreed_to_first() -> None:
    from tests.terminal import on_terminal

    with on_terminal(*ELSEWHERE, "--plain") as terminal:
        assert "model.invalid" in terminal.until("Go on? [y/N]")
        terminal.type("n\r")
        assert terminal.leave()[0] == 1
    with on_terminal(*ELSEWHERE, "--plain") as terminal:
        terminal.until("Go on? [y/N]")
        terminal.type("y\r")
        terminal.until("not a clinician")
