"""What a question is before it is searched: valid, and able to stand alone."""

from __future__ import annotations

import re

from mozi_engine.errors import QuestionError
from mozi_engine.prompts import language

MAX_CHARACTERS = 2000

# Words that point back into the conversation, or questions too short to mean anything without it.
_POINTS_BACK = re.compile(
    r"\b(it|its|they|them|their|theirs|this|these|those|he|she|his|her|one|ones|other|others|same|former|latter|"
    r"previous|above|first|second|third|last|more|else|both|such)\b|^(and|but|so|or|then|also|why|really)\b",
    re.IGNORECASE,
)
_POINTS_BACK_CJK = re.compile(
    r"[它他她其那这此该]|第[一二三四五]|呢[？?]?$|还有|为什么$|それ|その|これ|この|あの"
)
_FEW_WORDS = 4


def check(question: str) -> str:
    """The question without outer space. Raises QuestionError when it is empty, far too long, or no text."""
    return usable(
        " ".join(question.split()),
        "question",
        MAX_CHARACTERS,
        if_empty='ask something, such as "What data do they use?"',
        if_long="ask about one thing at a time",
    )


def usable(text: str, what: str, most: int, *, if_empty: str, if_long: str) -> str:
    """The text, if it is one, and has at most so many characters; `what` names it to the person.

    Raises QuestionError with the hint for what is wrong.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes that Python could not decode come as lone surrogates
        raise QuestionError(f"the {what} is not UTF-8 text", hint="send it, or save it, as UTF-8") from error
    if not text:
        raise QuestionError(f"the {what} is empty", hint=if_empty)
    if len(text) > most:
        raise QuestionError(f"the {what} has {len(text):,} characters; the limit is {most:,}", hint=if_long)
    return text


def asked_out(question: str) -> bool:
    """Whether a question that is being written looks finished."""
    return question.rstrip().endswith(("?", "？"))


def needs_rewriting(question: str, *, is_follow_up: bool, paper_language: str) -> bool:
    """Whether the question cannot be searched as it is: it leans on what was said or is in another script."""
    spoken = language(question)
    if spoken != paper_language:
        return True
    if not is_follow_up:
        return False
    short = not spoken and len(question.split()) <= _FEW_WORDS  # words are not spaced in Chinese
    return short or bool(_POINTS_BACK.search(question) or _POINTS_BACK_CJK.search(question))
