"""What a store keeps, as values: papers that were opened, conversations and their exchanges."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Literal, Self

from mozi_engine.files import expanded
from mozi_engine.types import Answer, Paper, Turn

Mode = Literal["paper", "support"]
State = Literal["pending", "answered", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class PaperRef:
    """A paper that was opened. `id` is its file's sha256; `reference` opens it: a path, URL or arxiv:ID."""

    id: str
    title: str
    reference: str
    pages: int

    @classmethod
    def of(cls, paper: Paper, reference: str) -> Self:
        """A paper that was read from `reference`; a path is kept whole, so that any folder reaches it."""
        path = expanded(reference)
        return cls(paper.id, paper.title, str(path.resolve()) if path.exists() else reference, paper.pages)

    @property
    def name(self) -> str:
        """Its title, or the end of its reference where it has none."""
        return self.title or PureWindowsPath(self.reference).name


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """A paper that was opened before: when last, and how often it was asked something."""

    paper: PaperRef
    opened: datetime
    questions: int


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation's header. Mode, paper and model are what the next question goes to.

    Switch them with `dataclasses.replace`: the next `Store.ask` writes it down. `id` is twelve hexadecimal
    digits.
    """

    id: str
    mode: Mode
    paper: PaperRef | None
    model: str
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what came of it.

    `text` is the answer as far as it came; `answer` what it stands on, where it is about a paper and whole.
    `detail` is why it failed, or the strategy of a supportive reply. One that a process was writing when it
    died reads "stopped".
    """

    id: int
    mode: Mode
    model: str
    question: str
    text: str
    state: State
    answer: Answer | None
    detail: str
    asked: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session and its exchanges, oldest first."""

    session: Session
    exchanges: tuple[Exchange, ...]

    def history(self, mode: Mode | None = None) -> list[Turn]:
        """What was answered, as turns for a prompt, oldest first; of one mode, or of both."""
        return [
            turn
            for exchange in self.exchanges
            if exchange.state == "answered" and mode in (None, exchange.mode)
            for turn in (Turn("user", exchange.question), Turn("assistant", exchange.text))
        ]


@dataclass(frozen=True, slots=True)
class Summary:
    """A session in a list: how many questions it holds, and the last one."""

    session: Session
    count: int
    question: str


def begin(mode: Mode, paper: PaperRef | None = None, model: str = "") -> Session:
    """A new session. It is kept from its first question on: one that asks nothing leaves no trace."""
    now = datetime.now(UTC)
    return Session(secrets.token_hex(6), mode, paper, model, now, now)
