"""What speaks behind the HTTP API: a model asked about papers, by the companion, or as the original was."""

from __future__ import annotations

import time
from collections.abc import Generator as EventStream
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from threading import Lock

from mozi_engine import answering, prompts
from mozi_engine.answering import Token
from mozi_engine.dialogue import Dialogue, answerer_of, briefing
from mozi_engine.reading import taken_up
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.serving import hearing
from mozi_engine.serving.hearing import Heard
from mozi_engine.serving.papers import Opened
from mozi_engine.serving.requests import Message
from mozi_engine.settings import Settings
from mozi_engine.support import companion
from mozi_engine.support.companion import Companion
from mozi_engine.support.memory import Memory
from mozi_engine.types import (
    Evidence,
    GenerationSettings,
    Generator,
    Passage,
    Prefill,
    Remembering,
    Retriever,
    Turn,
    milliseconds_since,
)

SUMMARIES = 32  # of long conversations with the companion that are held, a thousand characters each


@dataclass(frozen=True, slots=True)
class Generated:
    """What the model said to evidence that the client gave. The last event."""

    text: str
    seconds: float


class Voices:
    """Every method returns a generator of events that is run by one thread at a time.

    A local model has one generator at a time, which is the caller's to see to.
    """

    def __init__(
        self, model: Generator, encoder: Encoder, settings: Settings, decoding: GenerationSettings
    ) -> None:
        self.model, self._encoder = model, encoder
        self._settings, self._decoding = settings, decoding
        # A server of its own is asked by several at once; one model here, by one.
        self._using = Lock() if isinstance(model, Remembering) else nullcontext()
        self._taking = Lock()
        self._about: tuple[Opened, Dialogue] | None = None
        self._memory = Memory(model, summaries=SUMMARIES)

    def take_up(self, opened: Opened) -> Dialogue:
        """The paper's dialogue, begun where the last question was about another."""
        with self._taking:
            if self._about and self._about[0] is opened:
                return self._about[1]
            self.close()
            self._about = None
            indexed, settings = opened.indexed, self._settings
            answerer = answerer_of(
                indexed, self.model, self._encoder.encode, settings.passages, self._decoding
            )
            dialogue = Dialogue(answerer, self._using)
            gigabytes = settings.states_gigabytes
            reading = taken_up(indexed.paper, self.model, gigabytes)
            dialogue.read_on(briefing(indexed, self.model, gigabytes), reading)
            self._about = (opened, dialogue)
            return dialogue

    def answer(
        self, opened: Opened, question: str, history: Sequence[Turn]
    ) -> EventStream[answering.Event, None, None]:
        """The events of `Dialogue.ask`. Until the next question the model reads on in this paper.

        Raises QuestionError, ModelError, ServerError.
        """
        yield from self.take_up(opened).ask(question, history)

    def hear(self, message: Message) -> Heard:
        """The message as the companion hears it: some milliseconds, without the model."""
        return hearing.hear(message, self._settings.locale)

    def reply(
        self, heard: Heard, decoding: GenerationSettings | None = None, retriever: Retriever | None = None
    ) -> EventStream[companion.Event, None, None]:
        """The events of `Companion.reply`; what is fixed waits for nothing. Raises ModelError, ServerError.

        `decoding` is the request's, where it has one; `retriever` searches the paper that it names.
        """
        message = heard.message
        decoding = decoding or self._decoding
        friend = Companion(self.model, decoding, message.locale, retriever, self._memory)
        with nullcontext() if heard.fixed else self._aside():
            yield from friend.reply(message.text, message.history)

    def ground(
        self, question: str, evidences: Sequence[str], decoding: GenerationSettings
    ) -> EventStream[Prefill | Token | Generated, None, None]:
        """Answer from evidence that the client has found itself. Raises ModelError, ServerError."""
        started = time.perf_counter()
        passages = [Passage(index, "", text, "text", ()) for index, text in enumerate(evidences)]
        found = [Evidence(passage, 0.0, rank) for rank, passage in enumerate(passages, start=1)]
        text = ""
        prompt = prompts.render("", found, question)
        with self._aside(), closing(self.model.stream(prompt, decoding)) as pieces:
            for piece in pieces:
                if isinstance(piece, str):
                    text += piece
                    yield Token(piece)
                elif isinstance(piece, Prefill):
                    yield piece
        yield Generated(text.strip(), milliseconds_since(started) / 1000)

    def close(self) -> None:
        """Stop reading, and remember on the disk what was read."""
        if about := self._about:
            about[1].close()

    def _aside(self) -> AbstractContextManager[None]:
        about = self._about
        return about[1].aside() if about else nullcontext()
