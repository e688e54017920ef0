"""One question on its way: its events are kept and posted, and it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from textual.message import Message

from mozi_cli.tui import messages
from mozi_engine import answering
from mozi_engine.dialogue import Dialogue
from mozi_engine.errors import DataError, MoziError
from mozi_engine.sessions import Mode, Store
from mozi_engine.support import companion
from mozi_engine.support.companion import Companion
from mozi_engine.types import Prefill, Turn

Event = answering.Event | companion.Event


class Asking:
    """A question in the transcript under `number`, kept in the store as `exchange` (None: not kept)."""

    def __init__(
        self,
        number: int,
        question: str,
        mode: Mode,
        kept: tuple[Store, int] | None,
        post: Callable[[Message], object],
    ) -> None:
        self.question, self.mode = question, mode
        self._number, self._kept, self._post = number, kept, post
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let it end at its next event."""
        self._stopped.set()

    def answer(self, dialogue: Dialogue, history: Sequence[Turn]) -> None:
        """Ask the paper."""
        self._follow(dialogue.ask(self.question, history))

    def reply(self, companion: Companion, history: Sequence[Turn]) -> None:
        """Tell the companion."""
        self._follow(companion.reply(self.question, history))

    def failed(self, error: MoziError) -> None:
        """Tell that it failed; what is stopped does not fail any more."""
        if self._stopped.is_set():
            self._end_stopped()
            return
        self._keep(lambda store, exchange: store.fail(exchange, error.message))
        self._post(messages.AnswerFailed(self._number, error.message, error.hint))

    def _follow(self, events: Generator[Event, None, None]) -> None:
        with closing(events):
            for event in events:
                if self._stopped.is_set():
                    break
                self._tell(event)
        if self._stopped.is_set():
            self._end_stopped()

    def _tell(self, event: Event) -> None:
        number = self._number
        match event:
            case answering.Searching(query):
                self._post(messages.Searched(number, query))
            case answering.EvidenceFound(evidence):
                self._post(messages.EvidenceArrived(number, evidence))
            case Prefill(done, total, _):
                self._post(messages.PromptRead(number, done, total))
            case answering.Token(text) | companion.Token(text):
                self._keep(lambda store, exchange: store.grow(exchange, text))
                self._post(messages.TokenArrived(number, text))
            case answering.Done(answer):
                self._keep(lambda store, exchange: store.settle(exchange, answer))
                self._post(messages.AnswerDone(number, answer))
            case companion.Replied(reply):
                self._keep(lambda store, exchange: store.settle(exchange, reply.text, reply.strategy))
                self._post(messages.ReplyDone(number, reply.text, reply.strategy))

    def _end_stopped(self) -> None:
        self._keep(lambda store, exchange: store.stop(exchange))
        self._post(messages.AnswerStopped(self._number))

    def _keep(self, write: Callable[[Store, int], None]) -> None:
        """Write it down. A disk that refuses is told of once, and the answer goes on."""
        if self._kept:
            try:
                write(*self._kept)
            except DataError as error:
                self._kept = None
                self._post(messages.Unkept(error.message, error.hint))
