"""The question that is being written: somebody follows it, to have the model read it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mozi_engine.sessions.conversations import Mode
from mozi_engine.types import Turn

PATIENCE = 3.0  # seconds without a key, after which nobody follows any more
SETTLED = 0.3  # seconds without a key, after which a word is taken for whole


@dataclass(frozen=True, slots=True)
class Draft:
    """A question to the paper, or a message to the companion, as far as it is written."""

    question: str
    history: Sequence[Turn]
    mode: Mode = "paper"

    @property
    def mid_word(self) -> bool:
        """Whether the last word may go on."""
        return self.question[-1:].isalnum()


class Drafting:
    """The newest draft. One side writes it, key by key; the other, in a thread, follows."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: Draft | None = None
        self._followed = False

    def write(self, draft: Draft) -> bool:
        """Replace the draft; whether it has nobody who follows it, and `follow` is to be called."""
        with self._changed:
            self._newest = draft
            self._changed.notify()
            begin, self._followed = not self._followed, True
            return begin

    def end(self) -> None:
        """Nothing is written any more."""
        with self._changed:
            self._newest = None
            self._changed.notify()

    def follow(self, read: Callable[[Draft, Callable[[], bool]], None]) -> None:
        """Have each newest draft read; `read` is also given what tells when it is not the newest any more.

        Ends when nothing is written any more, or has not been for a while.
        """
        draft: Draft | None = None
        try:
            while draft := self._after(draft):
                read(draft, partial(self._passed, draft))
        finally:
            with self._changed:
                self._followed = False

    def _passed(self, draft: Draft | None) -> bool:
        return self._newest is not draft

    def _after(self, before: Draft | None) -> Draft | None:
        """The newest draft, once its last word is whole; None, and nobody follows, when none comes."""
        with self._changed:
            draft, patience = before, PATIENCE if self._newest else 0.0  # sent already: nothing will come
            while self._changed.wait_for(partial(self._passed, draft), patience):
                draft = self._newest
                if draft is None or not draft.mid_word:
                    break
                patience = SETTLED
            self._followed = draft is not None and draft is not before
            return draft if self._followed else None
