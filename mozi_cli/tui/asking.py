"""One question on its way: its events are kept and posted, and it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from collections.abc import Generator as EventStream
from contextlib import closing

from textual.message import Message

from mozi_cli.tui import messages
from mozi_engine import answering
from mozi_engine.dialogue import Dialogue
from mozi_engine.errors import DataError, MoziError
from mozi_engine.sessions.conversations import Session
from mozi_engine.sessions.recording import recorded
from mozi_engine.sessions.store import Store
from mozi_engine.support import companion
from mozi_engine.support.companion import Companion
from mozi_engine.types import Prefill, Turn

Event = answering.Event | companion.Event


class Asking:
    """A question to the session's mode, shown in the transcript under `number`.

    `exchange` is its id in the store, where it was kept when it was asked.
    """

    def __init__(
        self,
        number: int,
        question: str,
        session: Session,
        store: Store,
        post: Callable[[Message], object],
        exchange: int | None = None,
    ) -> None:
        self.mode = session.mode
        self._number, self._question = number, question
        self._session, self._store, self._post = session, store, post
        self._exchange = exchange
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let it end at its next event."""
        self._stopped.set()

    def answer(self, dialogue: Dialogue, history: Sequence[Turn]) -> None:
        """Ask the paper."""
        self._follow(dialogue.ask(self._question, history))

    def reply(self, companion: Companion, history: Sequence[Turn]) -> None:
        """Tell the companion."""
        self._follow(companion.reply(self._question, history))

    def failed(self, error: MoziError) -> None:
        """Tell that it failed; what is stopped does not fail any more."""
        if self._stopped.is_set():
            self._post(messages.AnswerStopped(self._number))
        else:
            self._post(messages.AnswerFailed(self._number, error.message, error.hint))

    def _follow(self, events: EventStream[Event, None, None]) -> None:
        kept = recorded(events, self._store, self._session, self._question, self._refused, self._exchange)
        with closing(kept):
            for event in kept:
                if self._stopped.is_set():
                    break
                self._tell(event)
        if self._stopped.is_set():
            self._post(messages.AnswerStopped(self._number))

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
                self._post(messages.TokenArrived(number, text))
            case answering.Done(answer):
                self._post(messages.AnswerDone(number, answer))
            case companion.Replied(reply):
                self._post(messages.ReplyDone(number, reply.text))

    def _refused(self, error: DataError) -> None:
        self._post(messages.Unkept(error.message, error.hint))
