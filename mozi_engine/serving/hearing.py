"""Where a conversation with the companion stands, when the client alone remembers it.

In the terminal that is read from the last reply. A client may have left a reply out, or shortened it, which
would end the wait for an answer: so fixed replies are found anew, from what the person said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mozi_engine.serving.requests import Message
from mozi_engine.support import care, crisis, helplines
from mozi_engine.support.care import Fixed
from mozi_engine.support.companion import language
from mozi_engine.types import Turn

_REPLAYED = 40  # turns, from the end: screening one is up to 20 ms; what is before is taken as it was sent


@dataclass(frozen=True, slots=True)
class Heard:
    """A message with the conversation as it was; whether the reply is in fixed words, without the model."""

    message: Message
    fixed: bool


def hear(message: Message, locale: str) -> Heard:
    """The message with every fixed reply where it belongs, whatever the client made of it.

    `locale` is the setting, for a message that names none.
    """
    locale = message.locale or locale
    history = _replayed(message.history, locale)
    fixed = _fixed(message.text, history, locale)
    return Heard(replace(message, history=history, locale=locale), fixed is not None)


def _replayed(history: Sequence[Turn], locale: str) -> tuple[Turn, ...]:
    turns = list(history[:-_REPLAYED])
    fixed: Fixed | None = None
    for turn in history[-_REPLAYED:]:
        if turn.role == "assistant":
            if not fixed:  # else it stands there already, to the letter
                turns.append(turn)
            continue
        fixed = _fixed(turn.text, turns, locale)
        turns.append(turn)
        if fixed:
            turns.append(Turn("assistant", fixed.text))
    return tuple(turns)


def _fixed(message: str, history: Sequence[Turn], locale: str) -> Fixed | None:
    spoken = language(message)
    return care.respond(message, history, crisis.screen(message), helplines.find(locale, spoken), spoken)
