"""What stands in the lists: papers and conversations, two lines each. Pure functions."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from mozi_engine.sessions.conversations import LibraryEntry, PaperRef, Summary


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a list. `id` is what choosing it gives; the title is what a filter looks at first."""

    id: str
    title: str
    detail: str = ""


def paper_row(entry: LibraryEntry, now: datetime, read: Container[str] = ()) -> Row:
    """A paper that was opened before; choosing it gives its reference."""
    paper = entry.paper
    told = [_count(paper.pages, "page"), f"opened {when(entry.opened, now)}"]
    if entry.questions:
        told.append(_count(entry.questions, "question"))
    if paper.id in read:
        told.append("✓ read by the model")
    return Row(paper.reference, title(paper), " · ".join(told))


def session_row(summary: Summary, now: datetime) -> Row:
    """A conversation, by its last question; choosing it gives its id."""
    session = summary.session
    about = title(session.paper) if session.paper else "no paper"
    subject = "companion" if session.mode == "support" else about
    told = (when(session.updated, now), _count(summary.count, "question"), subject)
    return Row(session.id, line(summary.question), " · ".join(told))


def title(paper: PaperRef) -> str:
    """What a paper is called: its title, or the name of its file."""
    return line(paper.title) or PurePath(paper.reference).name or paper.reference


def line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def when(moment: datetime, now: datetime) -> str:
    """A moment as people say it, in the local time of `now`: "today 14:05", "3 Mar", "2024-03-03"."""
    local = moment.astimezone(now.tzinfo)
    days = (now.date() - local.date()).days
    if days <= 0:
        return f"today {local:%H:%M}"
    if days == 1:
        return f"yesterday {local:%H:%M}"
    if local.year == now.year:
        return f"{local.day} {local:%b}"
    return f"{local:%Y-%m-%d}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
