"""`mozi chat --support --plain`: the companion, line by line."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import typer
from rich.text import Text

from mozi_cli import console, keeping, opening, wording
from mozi_engine.dialogue import read_ahead
from mozi_engine.errors import DataError, MoziError
from mozi_engine.generation import engines
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.sessions.conversations import PaperRef, Session, begin
from mozi_engine.sessions.recording import recorded
from mozi_engine.sessions.store import Store
from mozi_engine.settings import Settings
from mozi_engine.support.companion import Companion, Event, Replied, Reply, Token, check, introduction
from mozi_engine.types import GenerationSettings, Turn
from mozi_engine.types import Generator as Model


def run(
    paper: str | None,
    said: Sequence[str],
    settings: Settings,
    decoding: GenerationSettings,
    *,
    password: str | None,
    explain: bool,
    private: bool,
) -> None:
    """Talk: on the terminal, or with what is `said`, or with the lines of a pipe, as one conversation.

    `explain` tells the strategy of each reply and why it was chosen; `private` keeps nothing. Only a
    dialogue on the terminal is kept at all.
    """
    said = [check(message) for message in said]
    in_person = not said and sys.stdin.isatty()
    if settings.elsewhere:
        console.warning(wording.leaves(settings.elsewhere))
        if in_person:
            typer.confirm("Go on?", abort=True, err=True)
    companion, session, model = _companion(paper, settings, decoding, password)
    console.note(introduction(settings.locale))
    if in_person:
        console.note("Ctrl-C stops a reply, Ctrl-D leaves.")
    history: list[Turn] = []
    with ExitStack() as stack:
        store = Store.private() if private or not in_person else _store()
        stack.callback(store.close)
        for message in _typed(model, companion, history) if in_person else said or _piped():
            if not message.strip():
                continue
            refusals: list[DataError] = []
            events = recorded(
                companion.reply(message, history), store, session, message.strip(), refusals.append
            )
            if reply := _heard(events, in_person=in_person):
                history += [Turn("user", message.strip()), Turn("assistant", reply.text)]
                _tell_more(reply, explain=explain)
            console.not_kept(refusals)


def _companion(
    paper: str | None, settings: Settings, decoding: GenerationSettings, password: str | None
) -> tuple[Companion, Session, Model]:
    if not paper:
        opening.fetch_model(settings)
        model = engines.load(settings)
        return Companion(model, decoding, settings.locale), begin("support", None, model.name), model
    indexed, model = opening.paper_and_model(paper, settings, Encoder(), password)
    companion = Companion(model, decoding, settings.locale, indexed.retriever)
    return companion, begin("support", PaperRef.of(indexed.paper, paper), model.name), model


def _store() -> Store:
    try:
        return keeping.on_disk()
    except DataError as error:
        console.failure(error)
        console.note(wording.NOT_KEPT)
        return Store.private()


def _typed(model: Model, companion: Companion, history: Sequence[Turn]) -> Iterator[str]:
    while True:
        with _reading_ahead(model, companion.expected("", history)):
            message = console.ask()
        if message is None:
            return
        yield message


@contextmanager
def _reading_ahead(model: Model, expected: Sequence[Turn]) -> Iterator[None]:
    """While the person writes, the model reads what the message will come after."""
    sent = threading.Event()

    def read() -> None:
        with suppress(MoziError):  # what fails here fails again with the message, and is told then
            read_ahead(model, expected, sent.is_set)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        sent.set()
        reader.join()


def _piped() -> Iterator[str]:
    return iter(io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", errors="surrogateescape"))


def _heard(events: Generator[Event, None, None], *, in_person: bool) -> Reply | None:
    """Show a reply, sentence by sentence; None when it was stopped or failed."""
    try:
        return _shown(events)
    except KeyboardInterrupt:
        console.note("stopped")
        if not in_person:
            raise
    except MoziError as error:
        if not in_person:
            raise
        console.failure(error)
    finally:
        events.close()
    return None


def _shown(events: Iterator[Event]) -> Reply:
    for event in events:
        match event:
            case Token(text):
                console.stdout.print(Text(text), end="", soft_wrap=not console.stdout.is_terminal)
            case Replied(reply):
                console.stdout.print()
                return reply
    raise AssertionError("a reply ends with Replied")


def _tell_more(reply: Reply, *, explain: bool) -> None:
    for item in reply.evidence:
        console.note(f"your paper, {wording.place(item.passage)}: {wording.snippet(item.passage.text, 120)}")
    if explain:
        console.note(f"{reply.strategy}: {reply.reason}")
