"""Whatever the model writes, a reply is short, in the person's language, and promises nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mozi_engine.prompts import language
from mozi_engine.support.limits import CHARACTERS, WORDS, Limited


def limited(text: str, spoken: str = "", size: int = 3) -> str:
    """What comes through of a reply that arrives in pieces of `size` characters."""
    limits = Limited(spoken)
    shown = ""
    for start in range(0, len(text), size):
        shown += limits.feed(text[start : start + size])
        if limits.full:
            break
    if not limits.full:
        shown += limits.finish()
    assert shown == limits.text  # what was shown is never taken back
    return shown


PIECES = st.sampled_from(
    [
        *"abc d\n.?!。？，,-*1)#",
        "word ",
        "you ",
        "1. ",
        "- ",
        "**",
        "听起来很累",
        "。",
        "很难过，",
        "\n\n",
        "… ",
    ]
)
REPLIES = st.lists(PIECES, max_size=300).map("".join)


@settings(deadline=None)
@given(REPLIES, st.integers(1, 7))
def test_english_is_under_eighty_words_and_in_english(text: str, size: int) -> None:
    said = limited(text, "", size)
    assert len(said.split()) <= WORDS < 80
    assert language(said) == ""
    assert "\n" not in said


@settings(deadline=None)
@given(REPLIES, st.integers(1, 7))
def test_chinese_is_under_a_hundred_and_fifty_characters_and_in_chinese(text: str, size: int) -> None:
    said = limited(text, "Chinese", size)
    assert len(said) <= CHARACTERS < 150
    assert not any(map(str.isalpha, said)) or language(said) == "Chinese"
    assert "\n" not in said


@settings(deadline=None)
@given(st.integers(100, 400))
def test_a_first_sentence_without_end_is_cut_at_a_word(count: int) -> None:
    said = limited("word " * count)
    assert len(said.split()) == WORDS
    assert said.endswith("word…")


def test_it_stops_at_a_sentence_end() -> None:
    sentence = "This took you three months and they gave it one single line. "
    said = limited(sentence * 10)
    assert said.endswith("line.")
    assert len(said.split()) <= WORDS


def test_a_long_first_sentence_ends_at_a_clause() -> None:
    said = limited("投了三次都被拒，" * 30, "Chinese")
    assert said.endswith("被拒。")
    assert len(said) <= CHARACTERS


def test_a_list_becomes_its_first_item() -> None:
    said = limited(
        "That is hard.\nHere are some things to try:\n1. Take a walk.\n2. Call a friend.\n3. Sleep."
    )
    assert said == "That is hard. Take a walk."
    assert limited("挺难受的。\n- 先去走走\n- 找人聊聊", "Chinese") == "挺难受的。先去走走。"
    assert limited("**That** hurts.\n\n* Rest a little") == "That hurts. Rest a little."


def test_it_ends_with_the_first_question() -> None:
    assert limited("That stings. Which part hurts most? Did you sleep? You could rest.") == (
        "That stings. Which part hurts most?"
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "You may be suffering from depression.",
        "It sounds like you have an anxiety disorder.",
        "Everything will be fine.",
        "I promise it gets easier.",
        "You will get through this.",
        "As a therapist, I see this often.",
        "I'm a human like you.",
        "I've been there.",
        "I feel overwhelmed and sad.",
        "You're not good enough for this programme, but you're not alone.",
    ],
)
def test_no_diagnosis_no_promise_no_claim_to_be_a_person(sentence: str) -> None:
    assert limited(f"That sounds heavy. {sentence} What happened?") == "That sounds heavy. What happened?"


@pytest.mark.parametrize(
    "sentence",
    [
        "你可能得了抑郁症。",
        "一切都会好起来的。",
        "我保证会过去。",
        "你一定能成功。",
        "作为一名咨询师，我常见到。",
        "我也经历过。",
        "我感到很难过。",
    ],
)
def test_the_same_in_chinese(sentence: str) -> None:
    assert limited(f"听着就累。{sentence}哪件最难？", "Chinese") == "听着就累。哪件最难？"


def test_another_language_does_not_come_through_but_its_terms_do() -> None:
    assert limited("That is a lot. 你好吗，今天怎么样？ Did you rest?") == "That is a lot. Did you rest?"
    assert (
        limited("I am sorry to hear that. 被reviewer 2这样说，谁都憋屈。", "Chinese")
        == "被reviewer 2这样说，谁都憋屈。"
    )


def test_a_sentence_that_the_model_did_not_end_is_left_out() -> None:
    assert limited("That stings. You could may") == "That stings."
    assert limited("That stings and") == "That stings and."
    assert limited("Mozi: That stings.") == "That stings."
