"""From a message to a reply: one stream of events that every front end shows in its own way."""

from __future__ import annotations

import time
from collections.abc import Generator as EventStream
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from mozi_engine.support import crisis
from mozi_engine.support.crisis import Risk
from mozi_engine.types import (
    Evidence,
    GenerationSettings,
    Generator,
    Prefill,
    Retriever,
    Timings,
    Turn,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What was said, and why it was said so.

    `strategy` is one of ESConv's (Liu et al., 2021), or "crisis" for the fixed replies, with `risk` where
    this very message gave the alarm. `evidence` are passages of the open paper that the person spoke of.
    """

    text: str
    strategy: str
    reason: str
    risk: Risk | None = None
    evidence: tuple[Evidence, ...] = ()
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class Replied:
    """The whole reply. The last event."""

    reply: Reply


Event = Prefill | Token | Replied


class Companion:
    """Talks with a person about how they are. One a conversation."""

    def __init__(
        self,
        generator: Generator,
        settings: GenerationSettings,
        locale: str = "",
        retriever: Retriever | None = None,
    ) -> None:
        """`locale` is the setting of that name; `retriever` searches the paper that is open, if one is."""
        self._generator, self._settings = generator, settings
        self._locale, self._retriever = locale, retriever

    @property
    def introduction(self) -> str:
        """What is said once, before the first message: what this is, and is not."""
        return (
            "I'm a program that listens, on your own machine: not a person, not a clinician. "
            "说中文也可以。 What's on your mind?"
        )

    def reply(self, message: str, history: Sequence[Turn] = ()) -> EventStream[Event, None, None]:
        """Events as they happen, Replied last. Closing the iterator stops the generation.

        `history` is the conversation so far, oldest first. Raises QuestionError, ModelError, ServerError.
        """
        started = time.perf_counter()
        if risk := crisis.screen(message):
            text = "I'm worried about you. Are you thinking about ending your life?"
            yield Token(text)
            yield Replied(Reply(text, "crisis", f"the message says {risk.sign!r}", risk))
            return
        prompt = (Turn("system", "You listen warmly and briefly."), *history, Turn("user", message))
        text, timings = "", Timings()
        with closing(self._generator.stream(prompt, self._settings)) as pieces:
            for piece in pieces:
                match piece:
                    case Usage(read, written):
                        timings = replace(timings, prompt_tokens=read, completion_tokens=written)
                    case Prefill():
                        yield piece
                    case str():
                        text += piece
                        yield Token(piece)
        timings = replace(timings, total_ms=(time.perf_counter() - started) * 1000)
        yield Replied(Reply(text.strip(), "reflection", "it listens first", timings=timings))
