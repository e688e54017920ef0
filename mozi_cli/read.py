"""`mozi read`: let the model read papers ahead of time, so that questions are answered at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import typer

from mozi_cli import console, opening, wording
from mozi_engine import settings as user_settings
from mozi_engine.errors import MoziError, SettingsError
from mozi_engine.generation import engines
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import Generator, Remembering


def run(references: Sequence[str], password: str | None) -> None:
    """Read every paper to its end; a paper that cannot be read is named, and the next one is read."""
    settings = user_settings.load()
    papers = [paper for reference in references for paper in _papers(reference)]
    if settings.engine != "llamacpp":
        raise SettingsError(
            f"the {settings.engine} engine remembers papers itself",
            hint="engine = 'llamacpp' in settings.toml",
        )
    opening.fetch_model(settings)
    model, encoder, failed = engines.load(settings), Encoder(), 0
    for number, paper in enumerate(papers, start=1):
        console.note(f"{number} of {len(papers)}: {paper}")
        try:
            _read(paper, model, encoder, settings, password)
        except MoziError as error:
            console.failure(error)
            failed += 1
    if failed:
        raise typer.Exit(1)


def _papers(reference: str) -> Iterator[str]:
    """The PDFs of a folder, or the paper itself."""
    folder = Path(reference).expanduser()
    if folder.is_dir():
        yield from map(str, sorted(folder.rglob("*.pdf")))
    else:
        yield reference


def _read(
    reference: str, model: Generator, encoder: Encoder, settings: Settings, password: str | None
) -> None:
    indexed = opening.paper(reference, settings, encoder, password)
    reading = opening.reading(indexed, cast(Remembering, model), settings)
    if reading and not reading.complete:
        opening.read_on(reading, indexed.paper.pages)
    console.note(wording.remembered(indexed.paper.title or reference))
