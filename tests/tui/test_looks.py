"""How the screens around the chat look; see snapshots.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from textual.screen import Screen

from mozi_cli.tui.keys_screen import KeysScreen
from mozi_cli.tui.library_screen import LibraryScreen
from mozi_cli.tui.open_screen import OpenScreen
from mozi_cli.tui.sessions_screen import SessionsScreen
from mozi_engine.errors import DataError
from mozi_engine.sessions.conversations import (
    Conversation,
    Exchange,
    LibraryEntry,
    PaperRef,
    Session,
    Summary,
)
from tests.tui.host import Host, screen_text, until
from tests.tui.snapshots import assert_looks, still

pytestmark = pytest.mark.anyio

THEN = datetime(2024, 3, 3, 12, tzinfo=UTC)
GRAPH = PaperRef(
    "a" * 64, "Construction of the Literature Graph in Semantic Scholar", "/papers/N18-3011.pdf", 8
)
CHINESE = PaperRef(
    "b" * 64, "基于注意力机制的神经机器翻译研究综述：从循环网络到自注意力", "/论文/注意力.pdf", 23
)
LONG = replace(
    GRAPH, id="c" * 64, title="A Title That Is Longer Than Its Line " * 5, reference="arxiv:1805.02262"
)
PAPERS = [LibraryEntry(paper, THEN, asked) for paper, asked in ((GRAPH, 3), (CHINESE, 1), (LONG, 0))]


def sessions() -> SessionsScreen:
    asked = Session("0" * 12, "paper", CHINESE, "scripted", THEN, THEN)
    talked = Session("1" * 12, "support", None, "scripted", THEN, THEN)
    answered = Exchange(
        1, "paper", "scripted", "使用了什么数据集？", "WMT14 英德。", "answered", None, "", THEN
    )
    stopped = replace(answered, id=2, question="And the BLEU score?", text="It is", state="stopped")

    def load(session: str) -> Conversation:
        if session != asked.id:
            raise DataError("gone")
        return Conversation(asked, (answered, stopped))

    held = [Summary(asked, 2, "And the BLEU score?"), Summary(talked, 1, "I feel lost")]
    return SessionsScreen(held, load, lambda _: None, lambda *_: None)


@pytest.mark.parametrize(
    ("name", "make", "size", "theme", "shows"),
    [
        ("open", lambda: OpenScreen(PAPERS), (80, 24), "mozi-dark", ["3 questions"]),
        (
            "library",
            lambda: LibraryScreen(PAPERS, {GRAPH.id}),
            (120, 40),
            "mozi-light",
            ["✓ read", "⏎ Choose"],
        ),
        ("library-empty", lambda: LibraryScreen([]), (80, 24), "mozi-dark", ["No paper yet", "^o Open"]),
        ("sessions", sessions, (80, 24), "mozi-light", ["■ stopped", "d Delete", "1 question"]),
        ("keys", lambda: KeysScreen({"open": "f7"}), (80, 24), "mozi-dark", ["open, changed"]),
    ],
)
async def test_it_looks_as_it_did(
    name: str, make: Callable[[], Screen[object]], size: tuple[int, int], theme: str, shows: list[str]
) -> None:
    app = Host(make(), theme)
    async with app.run_test(size=size) as pilot:
        still(app)  # type: ignore[arg-type]
        await until(pilot, lambda: all(each in "".join(screen_text(app)) for each in shows))
        assert_looks(app, name)  # type: ignore[arg-type]
