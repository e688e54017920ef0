"""Where the conversations of a command are kept, and which of them goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mozi_cli import console, wording
from mozi_engine.errors import DataError, PaperError
from mozi_engine.sessions.conversations import Conversation, PaperRef, Session, begin
from mozi_engine.sessions.database import damaged
from mozi_engine.sessions.store import Store


def on_disk() -> Store:
    """The store on this disk. That a damaged one was set aside is said. Raises DataError."""
    store = Store.open()
    if store.path and store.set_aside:
        console.failure(damaged(store.path, store.set_aside))
    return store


def store_for(paper: PaperRef, *, private: bool) -> Store:
    """Where a conversation about this paper is kept. One that the disk refuses goes on without being kept."""
    if private:
        return Store.private()
    try:
        store = on_disk()
        store.noticed(paper)
    except DataError as error:
        console.failure(error)
        console.note(wording.NOT_KEPT)
        return Store.private()
    return store


def resumed(wanted: str) -> Conversation:
    """The conversation with this id; the last one about a paper for "". Raises DataError."""
    with on_disk() as store:
        if wanted:
            return store.load(wanted)
        last = next((summary for summary in store.recent() if summary.session.paper), None)
        if last is None:
            raise DataError("there is no conversation to go on with", hint="begin one: mozi chat paper.pdf")
        return store.load(last.session.id)


def paper_of(conversation: Conversation) -> str:
    """What opens the paper of a conversation.

    Raises DataError where it has none, PaperError where the file is gone.
    """
    session = conversation.session
    again = f"mozi chat --resume {session.id[:8]} --paper PAPER"
    if session.paper is None:
        raise DataError(f"conversation {session.id} is about no paper", hint=f"name one: {again}")
    reference = session.paper.reference
    if Path(reference).is_absolute() and not Path(reference).exists():
        raise PaperError(f"the paper is not at {reference} any more", hint=f"say where it is: {again}")
    return reference


def session(paper: PaperRef, model: str, before: Conversation | None) -> Session:
    """The session that questions about the paper now go to: a new one, or the one from before."""
    if before is None:
        return begin("paper", paper, model)
    return replace(before.session, mode="paper", paper=paper, model=model)
