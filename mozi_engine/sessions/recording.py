"""A conversation kept while it happens: the events of an answer pass through, and are written down."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Generator as EventStream
from contextlib import closing
from typing import TypeVar

from mozi_engine import answering
from mozi_engine.answering import Done
from mozi_engine.errors import DataError, MoziError
from mozi_engine.sessions.conversations import Session
from mozi_engine.sessions.store import Store
from mozi_engine.support import companion
from mozi_engine.support.companion import Replied

Event = TypeVar("Event", bound=answering.Event | companion.Event)


def recorded(
    events: EventStream[Event, None, None],
    store: Store,
    session: Session,
    question: str,
    refused: Callable[[DataError], object],
    exchange: int | None = None,
) -> EventStream[Event, None, None]:
    """The events as they come, each kept in the store before it is passed on.

    Closing the iterator stops the answer and keeps what came of it. When the store cannot be written,
    `refused` is told once, and the answer goes on without being kept. `exchange` is the question's, where it
    was kept when it was asked.
    """
    record = _Record(store, session, question, refused, exchange)
    try:
        with closing(events):
            for event in events:
                match event:
                    case answering.Token(piece) | companion.Token(piece):
                        record.write(store.grow, piece)
                    case Done(answer):
                        record.write(store.settle, answer)
                    case Replied(reply):
                        record.write(store.settle, reply.text, reply.strategy)
                yield event
    except MoziError as error:
        record.write(store.fail, error.message)
        raise
    finally:
        record.write(store.stop)


class _Record:
    """One exchange in the store, until the store refuses it."""

    def __init__(
        self,
        store: Store,
        session: Session,
        question: str,
        refused: Callable[[DataError], object],
        exchange: int | None,
    ) -> None:
        self._refused = refused
        self._exchange: int | None = None
        try:
            if exchange is None:
                exchange = store.ask(session, question)
            else:
                store.begin(exchange, session)
            self._exchange = exchange
        except DataError as error:
            refused(error)

    def write(self, write: Callable[..., None], *values: object) -> None:
        if self._exchange is None:
            return
        try:
            write(self._exchange, *values)
        except DataError as error:
            self._exchange = None
            self._refused(error)
