"""Questions that wait to be answered, in the store from the moment they are asked.

The store is written on the event loop: it takes a tenth of a millisecond, and what was asked is never unkept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mozi_engine.errors import DataError

if TYPE_CHECKING:
    from mozi_cli.tui.exchange_view import ExchangeView
    from mozi_engine.sessions.conversations import Session
    from mozi_engine.sessions.store import Store

T = TypeVar("T")


class Waiting:
    """Keeps each view's question until its answer begins. `refused` is told what the disk refuses."""

    def __init__(self, refused: Callable[[DataError], object]) -> None:
        self._refused = refused
        self._store: Store | None = None
        self._exchanges: dict[int, int | None] = {}  # by the view's number

    def open(self, store: Store) -> None:
        """From now on there is a store."""
        self._store = store

    def keep(self, view: ExchangeView, session: Session) -> None:
        """Keep a question, if it is not kept already."""
        if self._store and view.number not in self._exchanges:
            asked = replace(session, mode=view.mode)
            self._exchanges[view.number] = self._told(lambda store: store.ask(asked, view.question))

    def update(self, session: Session) -> None:
        """What waits is about another paper, or for another model."""
        if self._exchanges:
            self._told(lambda store: store.update(session))

    def begin(self, view: ExchangeView) -> int | None:
        """Its answer begins, and is kept under this id; None where it could not be kept."""
        return self._exchanges.pop(view.number, None)

    def take_back(self, view: ExchangeView) -> None:
        """Nobody wants an answer any more."""
        if (exchange := self.begin(view)) is not None:
            self._told(lambda store: store.take_back(exchange))

    def end(self, view: ExchangeView, why: str = "") -> None:
        """There will be no answer: it failed for this reason, or it was left."""
        if (exchange := self.begin(view)) is not None:
            self._told(lambda store: store.fail(exchange, why) if why else store.stop(exchange))

    def _told(self, write: Callable[[Store], T]) -> T | None:
        try:
            return write(self._store) if self._store else None
        except DataError as error:
            self._refused(error)
            return None
