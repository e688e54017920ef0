"""What the lists show: papers opened before, and conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RecentPaper:
    """A paper that was opened before. `reference` opens it again; `read` says that the model remembers it."""

    reference: str
    title: str
    pages: int
    opened: datetime
    questions: int = 0
    read: bool = False


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A conversation; `first` and `last` are its questions at the two ends."""

    id: str
    title: str
    paper: str
    updated: datetime
    questions: int
    first: str = ""
    last: str = ""
