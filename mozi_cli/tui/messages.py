"""What workers tell the app. They are posted from threads; the app alone touches widgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.message import Message

from mozi_engine.errors import MoziError
from mozi_engine.types import Answer, Evidence, Paper

if TYPE_CHECKING:
    from mozi_cli.tui.desk import Desk
    from mozi_engine.sessions.conversations import Conversation, PaperRef, Session
    from mozi_engine.sessions.store import Store

Part = Literal["text", "layout", "index", "model", "reading"]


@dataclass
class StoreReady(Message):
    """Conversations can be kept; `note` is what to know about where they are."""

    store: Store
    session: Session
    note: MoziError | None


@dataclass
class DeskReady(Message):
    """The engine is there."""

    desk: Desk
    introduction: str


@dataclass
class Resumed(Message):
    """A conversation that was kept, to go on with, and by which model."""

    conversation: Conversation
    model: str


@dataclass
class Told(Message):
    """Something beside the conversation has been done."""

    told: str


@dataclass
class Worked(Message):
    """Long work is under way: `done` of `total` (None when unknown), in words a person can read."""

    part: Part
    told: str
    done: int = 0
    total: int | None = None


@dataclass
class PaperRead(Message):
    """The paper is known better than before. `stage` is indexing.Indexed's: text, layout, dense."""

    paper: Paper
    known: PaperRef
    file: Path
    password: str | None
    stage: str


@dataclass
class PasswordWanted(Message):
    """The paper is encrypted; `told` says whether a password was tried."""

    reference: str
    told: str


@dataclass
class PaperFailed(Message):
    """The paper could not be opened, or not be read to its end."""

    reference: str
    told: str
    hint: str


@dataclass
class ModelReady(Message):
    """The model can be asked."""

    name: str


@dataclass
class ModelFailed(Message):
    """The model could not be fetched, loaded or reached: why, or "" where an answer said so."""

    name: str
    told: str
    hint: str


@dataclass
class ReadOn(Message):
    """The model has read the paper as far as this page of so many; not the sections that are `left_out`."""

    page: int
    pages: int
    complete: bool
    left_out: tuple[str, ...] = ()


@dataclass
class ReadingStopped(Message):
    """The model does not read the paper any further: why, or "" when it cannot remember papers at all."""

    told: str


@dataclass
class Heard(Message):
    """Something about the exchange of that number in the transcript."""

    number: int


@dataclass
class Searched(Heard):
    """The question was searched for in other words."""

    query: str


@dataclass
class EvidenceArrived(Heard):
    """The passages that the answer will be made from, best first."""

    evidence: tuple[Evidence, ...]


@dataclass
class PromptRead(Heard):
    """The model has read so many of the prompt's tokens."""

    done: int
    total: int


@dataclass
class TokenArrived(Heard):
    """A piece of the answer."""

    text: str


@dataclass
class AnswerDone(Heard):
    """The whole answer about a paper."""

    answer: Answer


@dataclass
class ReplyDone(Heard):
    """The whole reply of the companion."""

    text: str


@dataclass
class AnswerStopped(Heard):
    """The person stopped the answer; what came of it stays."""


@dataclass
class AnswerFailed(Heard):
    """No answer came to an end: why, and what to do about it."""

    told: str
    hint: str


@dataclass
class Unkept(Message):
    """The conversation goes on, but is not kept on the disk any more."""

    told: str
    hint: str
