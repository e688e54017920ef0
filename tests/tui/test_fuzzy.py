from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_cli.tui.fuzzy import match

TITLE = "An Empirical Study of Transformer-based Attention Mechanisms for Neural Machine Translation"


def found(query: str, text: str = TITLE) -> str:
    fits = match(query, text)
    assert fits
    return "".join(text[at] for at in sorted(fits.positions))


@pytest.mark.parametrize(
    ("query", "letters"),
    [("neural", "Neural"), ("NEURAL", "Neural"), ("attn", "Attn"), ("study emp", "EmpStudy"), ("", "")],
)
def test_words_are_found_in_any_order_and_case(query: str, letters: str) -> None:
    assert found(query) == letters


@pytest.mark.parametrize("query", ["xyz", "neural xyz", "neuraaal", "atr"])
def test_what_does_not_fit_is_not_found(query: str) -> None:
    assert match(query, "Neural attention") is None


def test_a_word_s_beginning_is_better_than_its_middle_than_its_letters() -> None:
    scores = [match("trans", text) for text in ("transformer", "a transformer", "untransformed", "tranns")]
    assert [fits.score for fits in scores if fits] == [3, 3, 2, pytest.approx(5 / 6)]


def test_chinese_is_found() -> None:
    assert found("神经", "基于注意力的神经机器翻译") == "神经"


def test_letters_whose_lower_case_is_longer_keep_their_places() -> None:
    assert found("paper", "İ a paper") == "paper"


@given(st.text(), st.text())
def test_the_positions_are_those_of_the_text(query: str, text: str) -> None:
    fits = match(query, text)
    assert fits is None or all(0 <= at < len(text) for at in fits.positions)


@given(st.text(min_size=1), st.text(), st.text())
def test_what_is_in_the_text_is_found(word: str, before: str, after: str) -> None:
    assert match(word, before + word + after) is not None


def test_a_long_title_takes_no_long_time() -> None:
    began = time.monotonic()
    for _ in range(100):
        match("e a t i n e a t i o n aeinot" * 5, TITLE * 10)
    assert time.monotonic() - began < 5  # Textual's own would take hours
