"""Where the conversations of a command are kept, and which of them goes on."""

from __future__ import annotations

from pathlib import Path

from mozi_cli import console, wording
from mozi_engine.database import damaged
from mozi_engine.errors import DataError, PaperError
from mozi_engine.sessions import Conversation, Store


def on_disk() -> Store:
    """The store on this disk. That a damaged one was set aside is said. Raises DataError."""
    store = Store.open()
    if store.path and store.set_aside:
        console.failure(damaged(store.path, store.set_aside))
    return store


def store(*, private: bool) -> Store:
    """Where a conversation is kept. One that the disk refuses goes on without being kept."""
    if private:
        return Store.private()
    try:
        return on_disk()
    except DataError as error:
        console.failure(error)
        console.note(wording.NOT_KEPT)
        return Store.private()


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
    if session.paper is None:
        raise DataError(
            f"conversation {session.id} is about no paper", hint=f"mozi chat --resume {session.id} -p PAPER"
        )
    reference = session.paper.reference
    if Path(reference).is_absolute() and not Path(reference).exists():
        hint = f"say where it is now: mozi chat --resume {session.id} --paper PATH"
        raise PaperError(f"the paper is not at {reference} any more", hint)
    return reference
