"""What the screen has done in threads besides asking: setting out, looking things up, writing files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from mozi_cli.tui import messages
from mozi_cli.tui.start import Start
from mozi_engine import files
from mozi_engine.errors import DataError, MoziError
from mozi_engine.models import catalog
from mozi_engine.sessions.conversations import PaperRef, Session, begin
from mozi_engine.sessions.database import damaged
from mozi_engine.sessions.exporting import WRITERS, Format
from mozi_engine.sessions.store import Store
from mozi_engine.settings import Settings

if TYPE_CHECKING:
    from mozi_cli.tui.desk import Desk
    from mozi_cli.tui.export_screen import Export

_ENDINGS: dict[str, Format] = {"markdown": "md", "json": "json", "bibtex": "bib"}
Post = Callable[[Message], object]


def desk(post: Post, start: Start) -> Desk:
    """The engine's side of the screen; importing it takes the engine's second."""
    from mozi_cli.tui.desk import Desk

    return Desk(post, start.settings, start.decoding)


def prepare(post: Post, start: Start, make_desk: Callable[[Post, Start], Desk]) -> None:
    """Open the store, so that what is asked is kept, and make the desk.

    A disk that refuses costs the keeping, not the conversation.
    """
    store, note = _store(private=start.private)
    post(messages.StoreReady(store, begin(start.mode, model=start.settings.model), note))
    made = make_desk(post, start)
    post(messages.DeskReady(made, made.introduction))


def _store(*, private: bool) -> tuple[Store, MoziError | None]:
    if private:
        return Store.private(), None
    try:
        store = Store.open()
    except DataError as error:
        return Store.private(), error
    aside = store.path and store.set_aside
    return store, damaged(store.path, aside) if store.path and aside else None


def resume(post: Post, store: Store, wanted: str, settings: Settings, model: str) -> None:
    """Load a conversation by its id; for "" the one held last. `model` is at hand. Raises MoziError."""
    if not wanted:
        recent = store.recent(1)
        if not recent:
            raise DataError("there is no conversation to go on with", hint="Ctrl+O opens a paper")
        wanted = recent[0].session.id
    conversation = store.load(wanted)
    post(messages.Resumed(conversation, _model_of(conversation.session, settings, model)))


def _model_of(session: Session, settings: Settings, at_hand: str) -> str:
    """The catalogue's model that it was held with; the one at hand where either is a file's or a server's."""
    known = {spec.name for spec in catalog.load()}
    listed = settings.engine == "llamacpp" and not settings.adapter
    return session.model if listed and {session.model, at_hand} <= known else at_hand


def noticed(_: Post, store: Store, paper: PaperRef) -> None:
    """Put the paper on the list of recent ones. Raises DataError."""
    store.noticed(paper)


def export(post: Post, store: Store, session: str, wanted: Export) -> None:
    """Write a conversation to a file. Raises DataError."""
    write(store, session, wanted)
    post(messages.Told(f"written to {wanted.path}"))


def write(store: Store, session: str, wanted: Export) -> None:
    """The same, and say nothing of it."""
    text = WRITERS[_ENDINGS[wanted.format]](store.load(session))
    with files.atomic(wanted.path) as file:
        file.write(text.encode())
