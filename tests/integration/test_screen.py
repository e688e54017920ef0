"""The installed mozi's full screen, on a terminal, with the real model and a real paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal import Screen, on_terminal

pytestmark = pytest.mark.model

COLUMNS, LINES = 120, 40


@pytest.fixture
def with_model(home: Path, model_home: Path) -> None:
    """The test's home has the model that was fetched once."""
    (home / "data").mkdir(parents=True)
    (home / "data" / "models").symlink_to(model_home / "data" / "models")


@pytest.mark.usefixtures("with_model")
def test_an_answer_s_citation_is_one_key_away_on_the_page(
    example_read: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOZI_PASSAGES", "1")
    with on_terminal("chat", "--paper", example_read, columns=COLUMNS, lines=LINES) as terminal:
        screen = Screen(terminal, COLUMNS, LINES)
        screen.until(lambda screen: "page 1 of 8" in screen.text and "✓ model" in screen.text)
        terminal.type("How many author nodes does the literature graph have?\r")
        screen.until(lambda screen: "[1] page 2" in screen.text, seconds=240)
        assert "12M" not in screen.underlined
        terminal.type("\t1")
        screen.until(lambda screen: "page 2 of 8" in screen.text and "12M" in screen.underlined)
        terminal.type("\x11")
        assert terminal.leave()[0] == 0
