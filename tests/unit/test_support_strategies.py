"""Which strategy, and why; and when the person speaks of the paper."""

from __future__ import annotations

import pytest

from mozi_engine.prompts import GUIDANCE
from mozi_engine.support import paper
from mozi_engine.support.strategies import choose
from mozi_engine.types import Turn

TALKED = (Turn("user", "My paper was rejected."), Turn("assistant", "That stings. What did they say?"))
QUESTIONED = (*TALKED, Turn("user", "Nonsense."), Turn("assistant", "How do you feel now?"))


@pytest.mark.parametrize(
    ("message", "history", "strategy"),
    [
        ("I'm so tired of this", (), "reflection"),
        ("好累，实验又失败了", (), "reflection"),
        ("They rejected it with one line after eleven months of waiting for it", (), "reflection"),
        ("hi", (), "question"),
        ("你好", (), "question"),
        ("What should I do?", (), "question"),
        ("What should I do?", TALKED, "suggestion"),
        ("我该怎么办", TALKED, "suggestion"),
        ("I feel like a failure", (), "affirmation"),
        ("我太差了", TALKED, "affirmation"),
        ("thank you, that helps", TALKED, "affirmation"),
        ("Is it normal to feel empty after submitting?", (), "information"),
        ("I'm just sad", QUESTIONED, "normalising"),
    ],
)
def test_the_rules(message: str, history: tuple[Turn, ...], strategy: str) -> None:
    choice = choose(message, history)
    assert choice.strategy == strategy
    assert choice.strategy in GUIDANCE
    assert choice.reason


@pytest.mark.parametrize(
    ("message", "searched"),
    [
        ("the reviewers say my baseline is weak", "baseline"),
        ("审稿人说我的baseline太弱", "baseline"),
        ("审稿人说创新性不够", "novel"),
        ("my supervisor doesn't believe the results", "results"),
        ("I'm so tired", ""),
        ("nobody talks to me", ""),
        ("remodelling the table took hours", ""),
    ],
)
def test_the_part_of_the_paper_that_is_meant(message: str, searched: str) -> None:
    found = paper.query(message)
    assert searched in found if searched else not found
