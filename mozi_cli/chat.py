"""`mozi chat` and `mozi evidence`: open a paper, then ask it."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import typer

from mozi_cli import console, progress, records, wording
from mozi_engine import catalog
from mozi_engine import settings as user_settings
from mozi_engine.answering import Answerer
from mozi_engine.errors import MoziError, PasswordError
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed, index
from mozi_engine.paper.source import locate
from mozi_engine.questions import check
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Progress, Turn

T = TypeVar("T")


def run(
    paper: str,
    asked: Sequence[str],
    changed: Mapping[str, Any],
    decoding: GenerationSettings,
    *,
    password: str | None,
    as_json: bool,
) -> None:
    """Open the paper, load the model beside it, and answer what is asked.

    `changed` holds the settings given on the command line; None leaves the user's own.
    """
    settings = replace(user_settings.load(), **{k: v for k, v in changed.items() if v is not None})
    asked = [check(question) for question in asked]
    encoder = Encoder()
    started = time.perf_counter()
    events = _open(_locate(paper, settings), settings, encoder, password)
    _fetch_model(settings)
    with ThreadPoolExecutor(max_workers=1) as pool:  # the model loads while the paper is read
        generator = pool.submit(engines.load, settings)
        indexed = _last(events)
    read_ms = (time.perf_counter() - started) * 1000
    answerer = Answerer(
        indexed.paper, indexed.retriever, generator.result(), encoder.encode, settings.passages, decoding
    )
    if asked or not sys.stdin.isatty():
        _answer_all(asked or _piped(), answerer, read_ms, as_json=as_json)
    else:
        _converse(answerer)


def show_evidence(paper: str, question: str, k: int, *, password: str | None, as_json: bool) -> None:
    """Open the paper and show the `k` passages nearest to the question."""
    settings = user_settings.load()
    question = check(question)
    indexed = _last(_open(_locate(paper, settings), settings, Encoder(), password))
    found = indexed.retriever.search(question, k)
    if as_json:
        typer.echo(records.evidence_record(question, found))
    else:
        console.show_evidence(found)


def _locate(reference: str, settings: Settings) -> Path:
    (path,) = progress.show(locate(reference, max_megabytes=settings.download_megabytes))
    return path


def _open(
    path: Path, settings: Settings, encoder: Encoder, password: str | None
) -> Iterator[Progress | Indexed]:
    """Start reading: what is no paper is refused here, before a model is fetched for it."""
    given = password is not None
    while True:
        events = index(path, settings, encoder, password)
        try:
            return _resumed(next(events), events)
        except PasswordError as error:
            if given or not sys.stdin.isatty():
                raise
            console.note(error.message)
            password = typer.prompt("Password", hide_input=True, err=True)


def _resumed(first: T, rest: Iterator[T]) -> Iterator[T]:
    yield first
    yield from rest


def _last(events: Iterator[Progress | Indexed]) -> Indexed:
    indexed = progress.show(events)[-1]
    if scanned := indexed.paper.scanned:
        console.note(wording.not_read(scanned))
    return indexed


def _fetch_model(settings: Settings) -> None:
    if settings.engine == "llamacpp" and not catalog.ready(spec := catalog.find(settings.model)):
        console.note(wording.fetching(spec))
        progress.show(catalog.pull(spec))


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
            console.show_answer(events, model)


def _converse(answerer: Answerer) -> None:
    """A dialogue on the terminal: Ctrl-C stops an answer, Ctrl-D (or Ctrl-C at the prompt) leaves."""
    console.note(f"{answerer.paper.title or 'This paper'}\nAsk away. Ctrl-C stops an answer, Ctrl-D leaves.")
    history: list[Turn] = []
    while (question := console.ask()) is not None:
        if not question.strip():
            continue
        events = answerer.answer(question, history)
        try:
            answer = console.show_answer(events, answerer.generator.name)
        except KeyboardInterrupt:
            console.note("stopped")
        except MoziError as error:
            console.failure(error)
        else:
            history += [Turn("user", question), Turn("assistant", answer.text)]
        finally:
            events.close()
