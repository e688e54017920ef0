"""An Answer goes to disk and comes back as it was; anything else is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.sessions import answers
from mozi_engine.types import Answer, Box, Citation, Evidence, Passage, Timings, Word

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
COUNT = st.integers(0, 10_000)
REAL = st.floats(allow_nan=False, allow_infinity=False)
POINT = st.integers(-100_000, 200_000).map(lambda hundredths: hundredths / 100)
SPAN = st.tuples(COUNT, COUNT)

WORDS = st.lists(
    st.builds(Word, COUNT, COUNT, st.builds(Box, st.integers(1, 99), POINT, POINT, POINT, POINT)), max_size=4
).map(tuple)
KINDS = st.sampled_from(["text", "heading", "caption", "table", "equation", "list", "footnote"])
PASSAGES = st.builds(Passage, COUNT, TEXT, TEXT, KINDS, WORDS)
ANSWERS = st.builds(
    Answer,
    TEXT,
    st.sampled_from(["answered", "partial", "not_in_paper"]),
    st.lists(st.builds(Evidence, PASSAGES, REAL, COUNT), max_size=4).map(tuple),
    st.lists(st.builds(Citation, SPAN, COUNT, COUNT, COUNT, REAL), max_size=4).map(tuple),
    st.lists(SPAN, max_size=3).map(tuple),
    st.lists(SPAN, max_size=3).map(tuple),
    st.builds(Timings, REAL, REAL, REAL, COUNT, COUNT),
    st.sampled_from(["passages", "paper", None]),
)


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was(answer: Answer) -> None:
    text, encoded = answers.encode(answer)
    passages = {key: answers.decode_passage(content) for key, content in encoded.items()}
    assert answers.decode(text, passages) == answer


def test_an_answer_of_an_earlier_version_does_not_say_what_it_was_made_from() -> None:
    text, _ = answers.encode(Answer("Yes.", "answered", (), (), (), (), Timings(), "paper"))
    kept = {name: value for name, value in json.loads(text).items() if name != "source"}
    assert answers.decode(json.dumps(kept), {}).source is None


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "7", '{"text": 1}', '{"text":"","verdict":"answered","evidence":[["x",1,1]]}'],
)
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  every message is the decoder's own
        answers.decode(text, {})


@pytest.mark.parametrize(
    "text", ["", "null", "{}", "[1,2]", '[0,"","","text",[1,2,3]]', '[0,"","","text",7]']
)
def test_what_is_no_passage_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        answers.decode_passage(text)
