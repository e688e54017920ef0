"""From a message to a reply: one stream of events that every front end shows in its own way."""

from __future__ import annotations

import time
from collections.abc import Generator as EventStream
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from mozi_engine import prompts
from mozi_engine.questions import usable
from mozi_engine.support import care, crisis, helplines, paper, strategies
from mozi_engine.support.crisis import Risk
from mozi_engine.support.limits import Limited
from mozi_engine.support.memory import Memory
from mozi_engine.types import (
    Evidence,
    GenerationSettings,
    Generator,
    Prefill,
    Retriever,
    Timings,
    Turn,
    Usage,
    milliseconds_since,
)

MAX_CHARACTERS = 4000  # people who pour their heart out write more than people who ask
_TOKENS = 160  # the longest reply that is allowed, and a sentence more

_FALLBACK: dict[care.Language, str] = {
    "English": "That sounds like a lot. What weighs most on you right now?",
    "Chinese": "听起来真的不容易。现在最压着你的是哪一件？",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the reply: whole sentences, for what is shown is not taken back."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What was said, and why it was said so.

    `strategy` is one of prompts.GUIDANCE, or "fixed" for a reply that no model wrote. `risk` is what the
    screen found in this very message. `evidence` are passages of the open paper that the person spoke of.
    """

    text: str
    strategy: str
    reason: str
    risk: Risk | None
    evidence: tuple[Evidence, ...]
    timings: Timings


@dataclass(frozen=True, slots=True)
class Replied:
    """The whole reply. The last event."""

    reply: Reply


Event = Prefill | Token | Replied


class Companion:
    """Talks with one person about how they are. What it knows of a long conversation is in its memory."""

    def __init__(
        self,
        generator: Generator,
        settings: GenerationSettings,
        locale: str = "",
        retriever: Retriever | None = None,
        memory: Memory | None = None,
    ) -> None:
        """`locale` is the setting of that name; `retriever` searches the paper that is open, if one is.

        `memory` is one that outlives the companion, where every message of a conversation has its own.
        """
        self._generator = generator
        self._settings = replace(settings, max_new_tokens=min(settings.max_new_tokens, _TOKENS))
        self._locale, self._retriever = locale, retriever
        self._memory = memory or Memory(generator)

    def reply(self, message: str, history: Sequence[Turn] = ()) -> EventStream[Event, None, None]:
        """Events as they happen, Replied last. Closing the iterator stops the generation.

        `history` is the conversation so far, oldest first. The message is screened before anything else;
        while a fixed reply is called for, no model is asked. Raises QuestionError, ModelError, ServerError.
        """
        started = time.perf_counter()
        message = check(message)
        risk = crisis.screen(message)
        spoken = language(message)
        help_ = helplines.find(self._locale, spoken)
        if fixed := care.respond(message, history, risk, help_, spoken):
            yield Token(fixed.text)
            timings = Timings(ttft_ms=milliseconds_since(started), total_ms=milliseconds_since(started))
            yield Replied(Reply(fixed.text, "fixed", fixed.reason, risk, (), timings))
            return
        choice = strategies.choose(message, history)
        evidence = self._evidence(message)
        recalled = yield from self._memory.recall(history)
        prompt = prompts.render_support(message, choice.strategy, recalled.recent, recalled.summary, evidence)
        text, timings = yield from self._generate(prompt, Limited(prompts.language(message)), started)
        if not text:
            text = _FALLBACK[spoken]
            yield Token(text)
        timings = replace(timings, total_ms=milliseconds_since(started))
        yield Replied(Reply(text, choice.strategy, choice.reason, None, evidence, timings))

    def expected(self, draft: str, history: Sequence[Turn] = ()) -> Sequence[Turn]:
        """What the prompt of a reply to a message that goes on from `draft` begins with.

        None where the model has something to summarise first. Before there is a word, the language is that of
        the message before, or of the locale.
        """
        recalled = self._memory.known(history)
        if recalled is None:
            return ()
        written = draft.lstrip()
        before = [turn.text for turn in history if turn.role == "user"][-1:]
        said = next(filter(None, (written, *before)), "")
        spoken = language(said) if said else _home(self._locale)
        chinese = "Chinese" if spoken == "Chinese" else ""
        return prompts.render_listening(written, chinese, recalled.recent, recalled.summary)

    def _evidence(self, message: str) -> tuple[Evidence, ...]:
        meant = paper.query(message) if self._retriever else ""
        return tuple(self._retriever.search(meant, 1)) if self._retriever and meant else ()

    def _generate(
        self, prompt: Sequence[Turn], limited: Limited, started: float
    ) -> EventStream[Event, None, tuple[str, Timings]]:
        timings = Timings()
        with closing(self._generator.stream(prompt, self._settings)) as pieces:
            for piece in pieces:
                match piece:
                    case Usage(read, written):
                        timings = replace(timings, prompt_tokens=read, completion_tokens=written)
                    case Prefill():
                        yield piece
                    case str() if said := limited.feed(piece):
                        timings = replace(timings, ttft_ms=timings.ttft_ms or milliseconds_since(started))
                        yield Token(said)
                if limited.full:
                    break
        if not limited.full and (said := limited.finish()):
            timings = replace(timings, ttft_ms=timings.ttft_ms or milliseconds_since(started))
            yield Token(said)
        return limited.text, timings


def language(text: str) -> care.Language:
    """Which of the two languages of the fixed replies suits the text."""
    return "Chinese" if prompts.language(text) == "Chinese" else "English"


def introduction(locale: str) -> str:
    """What is said once, before the first message: what this is, and is not; in both languages if unsure."""
    if spoken := _home(locale):
        return care.INTRODUCTION[spoken]
    return f"{care.INTRODUCTION['English']}\n{care.INTRODUCTION['Chinese']}"


def _home(locale: str) -> care.Language | None:
    """Which of the two languages a person of the locale is likely to write, where that is known."""
    if helplines.find(locale, "").country in ("CN", "TW", "HK"):
        return "Chinese"
    return "English" if locale else None


def check(message: str) -> str:
    """The message without outer space. Raises QuestionError when it is empty, far too long, or no text."""
    return usable(
        message.strip(),
        "message",
        MAX_CHARACTERS,
        if_empty="write anything: how the day was will do",
        if_long="send it in two parts",
    )
