"""`mozi read`: let the model read papers ahead of time, so that questions are answered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from mozi_cli import console, opening, wording
from mozi_engine import files
from mozi_engine.errors import DataError, ModelError, PaperError, SettingsError
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed
from mozi_engine.reading import LEAST, RESERVED, Reading, taken_up
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import Generator


def run(references: Sequence[str], settings: Settings, password: str | None) -> None:
    """Read every paper to its end; one that cannot be opened is named, and the next one is read.

    Of several papers none waits for a password to be typed: who lets a folder be read is not there.
    """
    papers = [paper for reference in references for paper in _papers(reference)]
    if settings.engine == "remote":
        raise SettingsError(
            "a server keeps nothing that it has read for mozi: it is sent the paper with every question",
            hint="--engine llamacpp reads it on this machine",
        )
    model: Generator | None = None
    encoder, failed = Encoder(), 0
    read: dict[str, Reading] = {}
    for number, paper in enumerate(papers, start=1):
        console.note(f"{number} of {len(papers)}: {paper}")
        try:
            indexed = opening.paper(paper, settings, encoder, password, asks=len(papers) == 1)
            # Only now: no model is fetched for what is no paper.
            model = model or _model(settings)
            name = indexed.paper.title or paper
            read[name] = _read(indexed, name, model, settings)
        except PaperError as error:
            console.failure(error)
            failed += 1
        check_kept(read, settings.states_gigabytes)
    if failed:
        raise typer.Exit(1)


def _papers(reference: str) -> list[str]:
    """The PDFs of a folder, or the paper itself. Raises PaperError for a folder without any."""
    folder = files.expanded(reference)
    try:
        found = sorted(folder.rglob("*.[pP][dD][fF]")) if folder.is_dir() else None
    except OSError:  # no name for a file: opening it says so
        found = None
    if found is None:
        return [reference]
    if not found:
        raise PaperError(f"there is no PDF in {folder}", "name a PDF, or a folder that holds some")
    return [str(path) for path in found]


def _model(settings: Settings) -> Generator:
    opening.fetch_model(settings)
    return engines.load(settings)


def _read(indexed: Indexed, name: str, model: Generator, settings: Settings) -> Reading:
    reading = taken_up(indexed.paper, model, settings.states_gigabytes)
    if reading is None:
        hint = f"raise `context` in settings.toml to {RESERVED + LEAST} or more, or free some memory"
        raise ModelError("the model's context is too small to read a paper", hint)
    if not reading.complete:
        opening.read_on(reading, indexed.paper.pages)
    if not reading.remembered:
        hint = "free some disk space, or raise states_gigabytes in settings.toml"
        raise DataError(f"what the model read of {name} could not be kept", hint=hint)
    console.note(wording.remembered(name))
    return reading


def check_kept(read: Mapping[str, Reading], gigabytes: float) -> None:
    """Raises DataError when a paper was forgotten for a later one: to read on would be in vain."""
    if forgotten := [name for name, reading in read.items() if not reading.remembered]:
        raise DataError(
            f"states_gigabytes = {gigabytes:g} is full: {forgotten[0]} was forgotten again",
            hint="raise it in settings.toml, and run this again: what is remembered is not read anew",
        )
