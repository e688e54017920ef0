"""`mozi chat` and `mozi evidence`: open a paper, then ask it."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import typer

from mozi_cli import console, keeping, opening, wording
from mozi_engine import settings as user_settings
from mozi_engine.answering import Answerer, Event
from mozi_engine.dialogue import Dialogue, acquaint, answerer_of, briefing, informed
from mozi_engine.errors import DataError, MoziError
from mozi_engine.questions import check
from mozi_engine.reading import RESERVED, Brief, Reading, beginning, estimated_tokens, taken_up
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.sessions import records
from mozi_engine.sessions.conversations import Conversation, PaperRef
from mozi_engine.sessions.recording import recorded
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Turn


def run(
    paper: str | None,
    asked: Sequence[str],
    settings: Settings,
    decoding: GenerationSettings,
    *,
    password: str | None,
    as_json: bool,
    whole: bool,
    resume: str | None = None,
    private: bool = False,
) -> None:
    """Open the paper, load the model beside it, and answer what is asked.

    `whole` answers nothing before the model has read the whole paper. `resume` is the conversation that
    goes on, "" for the last one; `private` keeps nothing of what is said.
    """
    asked = [check(question) for question in asked]
    in_person = not asked and sys.stdin.isatty()
    before = _before(resume, in_person=in_person)
    paper = paper or (keeping.paper_of(before) if before else None)
    if paper is None:
        raise typer.BadParameter("name a paper, as in: mozi chat paper.pdf; or go on: mozi chat --resume")
    encoder = Encoder()
    started = time.perf_counter()
    indexed, generator = opening.paper_and_model(paper, settings, encoder, password)
    read_ms = (time.perf_counter() - started) * 1000
    answerer = answerer_of(indexed, generator, encoder.encode, settings.passages, decoding)
    gigabytes = settings.states_gigabytes
    if in_person and not whole:  # the opening is read between the questions, too
        reading = taken_up(indexed.paper, generator, gigabytes)
    elif not whole:
        reading = acquaint(indexed, generator, gigabytes)
    elif reading := taken_up(indexed.paper, generator, gigabytes):
        opening.read_on(reading, indexed.paper.pages)
    else:  # a server reads the paper with the first question
        context: int = getattr(generator, "context", settings.context)
        text = beginning(indexed.paper, context - RESERVED, estimated_tokens)
        answerer = replace(answerer, beginning=text.turns, abridged=bool(text.left_out))
        opening.tell_left_out(text)
    if reading and reading.complete and not whole:
        opening.tell_left_out(reading.beginning)
    if in_person:
        brief = briefing(indexed, generator, gigabytes)
        _converse(answerer, brief, reading, PaperRef.of(indexed.paper, paper), before, private=private)
    else:
        _answer_all(asked or _piped(), informed(answerer, reading), read_ms, as_json=as_json)


def show_evidence(paper: str, question: str, k: int, *, password: str | None, as_json: bool) -> None:
    """Open the paper and show the `k` passages nearest to the question."""
    question = check(question)
    found = opening.paper(paper, user_settings.load(), Encoder(), password).retriever.search(question, k)
    if as_json:
        typer.echo(records.evidence_record(question, found))
    else:
        console.show_evidence(found)


def _piped() -> Iterator[str]:
    """The questions on stdin, one a line; what is not UTF-8 is left for `check` to refuse."""
    lines = io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", errors="surrogateescape")
    return (line for line in lines if line.strip())


def _answer_all(asked: Iterable[str], answerer: Answerer, read_ms: float, *, as_json: bool) -> None:
    """Answer questions that have nothing to do with each other."""
    model = answerer.generator.name
    for number, question in enumerate(asked):
        events = answerer.answer(question)
        if as_json:
            answer = console.wait(events)
            typer.echo(records.answer_record(question.strip(), answer, model, read_ms))
        else:
            console.heading(question.strip(), first=number == 0)
            answer = console.show_answer(events, model)
            if number == 0 and answer.source == "passages":
                console.note(wording.FROM_PASSAGES)


def _before(resume: str | None, *, in_person: bool) -> Conversation | None:
    if resume is None:
        return None
    if not in_person:
        raise typer.BadParameter("--resume goes on with a dialogue: on a terminal, without --ask")
    return keeping.resumed(resume)


def _converse(
    answerer: Answerer,
    brief: Brief | None,
    reading: Reading | None,
    paper: PaperRef,
    before: Conversation | None,
    *,
    private: bool,
) -> None:
    """A dialogue on the terminal: Ctrl-C stops an answer or drops a line, Ctrl-D leaves.

    Between questions the model reads the paper. What was said before is taken up, and what is said is kept.
    """
    console.note(f"{answerer.paper.title or 'This paper'}\nAsk away. Ctrl-C stops an answer, Ctrl-D leaves.")
    if before:
        console.note(wording.goes_on(before, paper))
        console.show_exchange(before.exchanges[-1], first=False)
    session = keeping.session(paper, answerer.generator.name, before)
    store = keeping.store_for(paper, private=private)
    dialogue = Dialogue(answerer)
    more_to_tell = reading is not None and not reading.complete
    dialogue.read_on(brief, reading)
    history = before.history("paper") if before else []
    try:
        while (question := console.ask()) is not None:
            if question.strip():
                refusals: list[DataError] = []
                events = dialogue.ask(question, history)
                events = recorded(events, store, session, question.strip(), refusals.append)
                history += _exchange(question, events, answerer.generator.name)
                console.not_kept(refusals)
                if more_to_tell:
                    more_to_tell = _tell_how_far(dialogue)
    finally:
        store.close()
        leave(dialogue)


def _tell_how_far(dialogue: Dialogue) -> bool:
    """Say how far the reading is, at its end what it left out; whether there will be more to tell."""
    background = dialogue.background
    reading = background.reading if background else None
    if not (background and reading):
        return False
    if reading.complete:
        opening.tell_left_out(reading.beginning)
        return False
    console.note(wording.read_so_far(reading, background.failure, dialogue.answerer.paper.pages))
    return True


def leave(dialogue: Dialogue) -> None:
    """Keep what was read. The model ends its batch first; who cannot wait for that loses the reading."""
    if dialogue.background and not dialogue.background.complete:
        console.note("keeping what the model has read…")
    try:
        dialogue.close()
    except KeyboardInterrupt:
        os._exit(130)  # an interpreter that is taken down around a working engine may crash


def _exchange(question: str, events: Generator[Event, None, None], model: str) -> list[Turn]:
    """Show the answer to one question of a dialogue; what was said, if it came to an answer."""
    try:
        answer = console.show_answer(events, model)
    except KeyboardInterrupt:
        console.note("stopped")
    except MoziError as error:
        console.failure(error)
    else:
        return [Turn("user", question), Turn("assistant", answer.text)]
    finally:
        events.close()
    return []
