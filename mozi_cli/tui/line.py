"""The questions that wait in a line, and the one that is answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mozi_cli import wording
from mozi_cli.tui.exchange_view import ExchangeView

if TYPE_CHECKING:
    from mozi_engine.sessions.conversations import Mode


class Line:
    """One question is answered at a time, in the order they came; each that waits says what for.

    `lacks` says what a question has to wait for, beside the answer before it, and "" where that is nothing;
    `answer` begins its answer.
    """

    def __init__(self, lacks: Callable[[ExchangeView], str], answer: Callable[[ExchangeView], None]) -> None:
        self._lacks, self._answer = lacks, answer
        self._waiting: deque[ExchangeView] = deque()
        self.answering: ExchangeView | None = None  # until its thread has ended, whatever stands there

    @property
    def waiting(self) -> Sequence[ExchangeView]:
        """Those that wait, the next one first."""
        return tuple(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return bool(self.answering or self._waiting)

    def add(self, view: ExchangeView) -> None:
        """Put a question at the end; it is mounted."""
        self._waiting.append(view)
        self.move()

    def move(self) -> None:
        """Let the first be answered, if it can be; say what the others wait for."""
        if not self.answering and self._waiting and not self._lacks(self._waiting[0]):
            self.answering = self._waiting.popleft()
            self._answer(self.answering)
        for view in self._waiting:
            view.tell(wording.WAITING_FOR_ANSWER if self.answering else self._lacks(view))

    def ended(self, number: int) -> None:
        """Whatever came of the question of this number, the next one has its turn."""
        if self.answering and self.answering.number == number:
            self.answering = None
        self.move()

    def take_back(self) -> ExchangeView | None:
        """Take out the last that waits."""
        return self._waiting.pop() if self._waiting else None

    def clear(self, mode: Mode | None = None) -> list[ExchangeView]:
        """Take out all that wait, or those of this mode."""
        out = [view for view in self._waiting if mode in (None, view.mode)]
        self._waiting = deque(view for view in self._waiting if view not in out)
        return out
