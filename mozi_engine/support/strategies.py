"""How to reply: the strategies of ESConv (Liu et al., 2021), chosen by rules that a person can read.

ESConv's self-disclosure ("I went through this too") would be a lie from a program; it says what many
researchers go through instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mozi_engine.types import Turn


@dataclass(frozen=True, slots=True)
class Choice:
    """A strategy by its name in ESConv, and why it was chosen."""

    strategy: str
    reason: str


_THANKS = re.compile(
    r"\b(?:thank|thanks|that helps|helped|feel(?:ing)? better|good news|accepted|i passed|relieved)\b"
    r"|谢谢|好多了|好一点|好消息|中了|录用|通过了|轻松多了",
    re.IGNORECASE,
)
_ASKS_ADVICE = re.compile(
    r"\b(?:what (?:should|can|could|do) i|how (?:do|can|should|could) i|should i|any (?:advice|"
    r"tips|idea)|help me)\b"
    r"|怎么办|怎么(?:跟|和|才|做|处理|回复|说)|该不该|要不要|有什么(?:办法|建议)|如何",
    re.IGNORECASE,
)
_ASKS_FACT = re.compile(
    r"\b(?:is (?:it|this) normal|do (?:other|most|many) |does (?:everyone|anybody|anyone)|how long|"
    r"how (?:common|often)|am i the only)\b"
    r"|正常吗|别人也|是不是(?:大家|都|只有我)|多久|常见吗|只有我",
    re.IGNORECASE,
)
_SELF_BLAME = re.compile(
    r"\b(?:i'?m|i am|i feel)(?: \w+){0,3} (?:stupid|failure|fraud|useless|worthless|idiot|loser|"
    r"dumb|not good enough|imposter|impostor|the worst)"
    r"|\bnot good enough\b|\bmy fault\b|\bi (?:always )?fail\b|\bi don't belong\b"
    r"|废物|太差|好蠢|没用|不够好|怪我|我的错|不如别人|配不上|混进来|失败者|什么都不会|短板",
    re.IGNORECASE,
)
_FEELING = re.compile(
    r"\b(?:tired|exhausted|sad|angry|furious|hate|cry|crying|cried|hurt|hurts|scared|terrified|"
    r"afraid|anxious|worried|lonely|alone|"
    r"ashamed|embarrassed|frustrated|stuck|overwhelmed|burnt|burned|hopeless|empty|numb|"
    r"disappointed|stress\w*|panic\w*|lost|depressed)\b"
    r"|累|难过|难受|气|恨|哭|怕|慌|焦虑|孤独|一个人|丢脸|丢人|委屈|失望|压力|崩溃|烦|郁闷|迷茫|"
    r"空落落|绝望|抑郁|伤心|紧张|受不了",
    re.IGNORECASE,
)
_SHORT_WORDS, _SHORT_CHARACTERS = 6, 8
_QUESTIONED = re.compile(r"[?？]\s*$")


def choose(message: str, history: Sequence[Turn]) -> Choice:
    """The strategy for a reply to `message`; `history` is the conversation so far, oldest first."""
    first = not any(turn.role == "assistant" for turn in history)
    if _THANKS.search(message) and not _ASKS_ADVICE.search(message):
        return Choice("affirmation", "the person says thanks, or has good news")
    if _SELF_BLAME.search(message):
        return Choice("affirmation", "the person speaks badly of themselves")
    if _ASKS_FACT.search(message):
        return Choice("information", "the person asks whether others know this too")
    if _ASKS_ADVICE.search(message):
        if first:
            return Choice("question", "advice is asked for, but mozi does not know enough yet")
        return Choice("suggestion", "the person asks what to do")
    if _FEELING.search(message):
        return _to_a_feeling(history)
    if _is_short(message):
        return Choice("question", "the message is short and names no feeling")
    return Choice("reflection", "the person tells what happened")


def _to_a_feeling(history: Sequence[Turn]) -> Choice:
    replies = [turn.text for turn in history if turn.role == "assistant"]
    if len(replies) >= 2 and all(_QUESTIONED.search(reply) for reply in replies[-2:]):
        return Choice("normalising", "a feeling is named, and mozi has asked enough questions")
    return Choice("reflection", "the person names a feeling")


def _is_short(message: str) -> bool:
    spaced = message.isascii()
    return len(message.split()) <= _SHORT_WORDS if spaced else len(message) <= _SHORT_CHARACTERS
