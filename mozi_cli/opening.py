"""Opening a paper, and a model beside it, with progress on stderr: what every command starts with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import typer

from mozi_cli import console, progress, wording
from mozi_engine.errors import PasswordError
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed, index
from mozi_engine.models import catalog
from mozi_engine.paper.source import locate
from mozi_engine.reading import Beginning, Reading
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import Generator, Progress

T = TypeVar("T")


def paper(
    reference: str, settings: Settings, encoder: Encoder, password: str | None, *, asks: bool = True
) -> Indexed:
    """Find, read and index a paper. A password that it lacks is asked for on a terminal, if it `asks`."""
    return _last(_open(_locate(reference, settings), settings, encoder, password, asks=asks))


def paper_and_model(
    reference: str, settings: Settings, encoder: Encoder, password: str | None
) -> tuple[Indexed, Generator]:
    """The same, while the model loads; fetched first where it is not on the disk."""
    events = _open(_locate(reference, settings), settings, encoder, password)
    fetch_model(settings)
    pool = ThreadPoolExecutor(max_workers=1)
    generator = pool.submit(engines.load, settings)
    pool.shutdown(wait=False)  # should the paper fail, that is said at once
    indexed = _last(events)
    return indexed, generator.result()


def fetch_model(settings: Settings) -> None:
    """Bring the model onto the disk, if it is one that runs here."""
    if settings.engine == "llamacpp" and not catalog.ready(spec := catalog.find(settings.model)):
        console.note(wording.fetching(spec))
        progress.show(catalog.pull(spec), resumes=True)


def read_on(reading: Reading, pages: int) -> None:
    """Let the model read the paper to its end. Ctrl-C stops it; what was read is kept."""
    tell_left_out(reading.beginning)

    def pages_read() -> Iterator[Progress]:
        for step in reading.steps():
            page = pages if reading.complete else reading.beginning.page(step)
            yield Progress("the model reads", page, pages, "pages")

    try:
        progress.show(pages_read(), resumes=True)
    finally:
        reading.keep()


def tell_left_out(text: Beginning) -> None:
    """Say what of a long paper the model does not read."""
    if text.left_out:
        console.note(wording.left_out(text.left_out))


def _locate(reference: str, settings: Settings) -> Path:
    (path,) = progress.show(locate(reference, max_megabytes=settings.download_megabytes))
    return path


def _open(
    path: Path, settings: Settings, encoder: Encoder, password: str | None, *, asks: bool = True
) -> Iterator[Progress | Indexed]:
    """Start reading: what is no paper is refused here, before a model is fetched for it."""
    asks = asks and password is None and sys.stdin.isatty()
    while True:
        events = index(path, settings, encoder, password)
        try:
            return _resumed(next(events), events)
        except PasswordError as error:
            if not asks:
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
