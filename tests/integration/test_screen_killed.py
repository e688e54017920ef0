"""The installed mozi's full screen, killed in the middle: what was asked and said is there the next time."""

from __future__ import annotations

from pathlib import Path

from mozi_engine.sessions.store import Store
from tests.openai_server import OpenAIServer
from tests.terminal import Screen, on_terminal

SIZE = (120, 40)


def test_what_was_asked_and_said_survives_a_kill(example_read: Path, openai: OpenAIServer) -> None:
    openai.says_without_end("nodes")
    options = ("--base-url", openai.url, "--model", "scripted")
    with on_terminal("chat", example_read, *options, columns=SIZE[0], lines=SIZE[1]) as terminal:
        screen = Screen(terminal, *SIZE)
        screen.until(lambda screen: "✓ index" in screen.text)
        terminal.type("How many author nodes are there?\r")
        screen.until(lambda screen: "nodes nodes nodes" in screen.text)
        terminal.type("And how many papers?\r")
        screen.until(lambda screen: "after the question before it" in screen.text)
        terminal.kill()
    with Store.open() as store:
        (kept,) = store.recent()
        first, second = store.load(kept.session.id).exchanges
    assert first.text.startswith("nodes nodes nodes")
    assert (second.question, second.text) == ("And how many papers?", "")
    assert kept.session.paper
    with on_terminal("chat", "--resume", *options, columns=SIZE[0], lines=SIZE[1]) as terminal:
        screen = Screen(terminal, *SIZE)
        screen.until(lambda screen: "✓ index" in screen.text and "And how many papers?" in screen.text)
        assert "nodes nodes" in screen.text
        assert "■ stopped" in screen.text
        terminal.type("\x11")
        assert terminal.leave()[0] == 0
