"""`mozi serve` as a person runs it, with a small server in the model's place."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.command import MOZI, mozi, refusal
from tests.openai_server import OpenAIServer
from tests.serving import events

HOW_MANY = {"question": "How many author nodes does the literature graph have?"}
AUTHORS = "The literature graph has 12M nodes of this type."


@contextmanager
def serve(
    model: OpenAIServer, *arguments: object
) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, str]]:
    """A running `mozi serve`, a client of it, and what it said until it was there."""
    engine = ("--engine", "remote", "--base-url", model.url, "--model", "qwen3", "--port", "0")
    command = [MOZI, "serve", *engine, *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        said = ""
        while not (found := re.search(r"listening on (http://\S+);(?:.*\n){3}", said)):
            line = running.stderr.readline()
            assert line, said
            said += line
        try:
            with httpx.Client(base_url=found[1], timeout=60, trust_env=False) as client:
                yield running, client, said
        finally:
            running.kill()


def test_it_says_where_it_listens_and_how_to_try_it(example_read: Path, openai: OpenAIServer) -> None:
    openai.says(AUTHORS)
    with serve(openai, example_read) as (_, client, said):
        assert f"curl {client.base_url}/ask -d '" in said
        assert client.post("/ask", json=HOW_MANY).json()["answer"] == AUTHORS


def test_a_key_is_asked_for_and_never_shown(openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOZI_SERVE_KEY", "tapir")
    with serve(openai, "--host", "0.0.0.0") as (_, client, said):  # noqa: S104
        assert "Bearer KEY" in said
        assert "tapir" not in said
        assert client.get("/health").status_code == 401
        assert client.get("/health", headers={"Authorization": "Bearer tapir"}).status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_answer_and_the_server(
    example_read: Path, openai: OpenAIServer, sent: signal.Signals
) -> None:
    openai.says_without_end("endless")
    headers = {"Accept": "text/event-stream"}
    with serve(openai, example_read) as (running, client, _):
        with client.stream("POST", "/ask", json=HOW_MANY, headers=headers) as response:
            happened = events(response.iter_lines())
            assert next(name for name, _ in happened if name == "token")
            running.send_signal(sent)
            *_, (name, data) = happened
        assert (name, data["error"]["message"]) == ("error", "mozi serve was stopped")
        assert openai.hung_up.wait(30)
        assert running.wait(30) == (0 if sent == signal.SIGINT else -sent)
        assert running.stderr
        assert "Traceback" not in running.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_a_second_ctrl_c_does_not_wait_for_a_word_that_does_not_come(
    example_read: Path, openai: OpenAIServer
) -> None:
    silent = threading.Event()
    openai.replies.append(b"" for _ in range(1) if silent.wait(60))
    with (
        serve(openai, example_read) as (running, client, _),
        client.stream("POST", "/ask", json=HOW_MANY, headers={"Accept": "text/event-stream"}) as response,
    ):
        assert next(response.iter_lines())
        while not openai.requests:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        assert running.stderr
        assert "Ctrl-C does not wait" in running.stderr.readline()
        assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    silent.set()


def test_without_the_extra_it_says_which_to_install() -> None:
    without_uvicorn = (
        "import importlib.util as u, sys; find = u.find_spec;"
        "u.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest);"
        "from mozi_cli.main import main; sys.argv = ['mozi', 'serve']; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", without_uvicorn], capture_output=True, text=True, check=False, timeout=120
    )
    assert refusal(ran) == ("mozi serve needs uvicorn", "pip install 'mozi[serve]'")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--host", "0.0.0.0"], "other machines reach 0.0.0.0: that needs a key", "MOZI_SERVE_KEY"),  # noqa: S104
        (["--host", "999.1.1.1"], "cannot listen on 999.1.1.1", "--port"),
        (["nowhere.pdf", "--port", "0"], "no such file: nowhere.pdf", "check the path"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_what_to_do(
    arguments: list[str], message: str, hint: str
) -> None:
    said, next_step = refusal(mozi("serve", *arguments))
    assert said.startswith(message)
    assert hint in next_step
