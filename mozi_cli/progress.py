"""Long work, shown on stderr while it goes on: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, groupby
from typing import TypeVar, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from mozi_engine.files import size
from mozi_engine.types import Progress

T = TypeVar("T")

EVERY = 5.0  # seconds between two lines


def show(events: Iterator[Progress | T], console: Console | None = None, *, resumes: bool = False) -> list[T]:
    """Follow the work to its end, and return what it made. Ctrl-C stops it, to be taken up again later."""
    console = console or Console(stderr=True, highlight=False, markup=False)
    follow = _bar if console.is_terminal else _lines
    made: list[T] = []
    with closing(cast("Generator[Progress | T]", events)):
        try:
            for label, stage in groupby(_progress(events, made), key=lambda event: event.label):
                follow(label, stage, console)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from here" if resumes else "stopped")
            raise
    return made


def _progress(events: Iterator[Progress | T], made: list[T]) -> Iterator[Progress]:
    for event in events:
        if isinstance(event, Progress):
            yield event
        else:
            made.append(event)


def _bar(label: str, stage: Iterator[Progress], console: Console) -> None:
    first = next(stage)
    with Bar(*_columns(first), console=console) as bar:
        # What was there before is done, but says nothing about how fast the rest comes.
        task = bar.add_task(label, total=first.total, completed=first.done)
        for event in stage:
            bar.update(task, completed=event.done, total=event.total)


def _columns(event: Progress) -> tuple[ProgressColumn, ...]:
    text, bar = TextColumn("{task.description}", markup=False), BarColumn()
    if event.unit != "bytes":
        return text, bar, MofNCompleteColumn()
    return text, bar, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()


def _lines(label: str, stage: Iterator[Progress], console: Console) -> None:
    first = next(stage)
    began, said, finished = time.monotonic(), -EVERY, False
    for event in chain([first], stage):
        seconds, ends = time.monotonic() - began, event.done == event.total
        if seconds - said >= EVERY or (ends and not finished):
            console.print(f"{label}: {line(event, first.done, seconds)}", soft_wrap=True)
            said, finished = seconds, ends


def line(event: Progress, start: int, seconds: float) -> str:
    """How far it is; for bytes also how fast it went since `start` of them were done, and what is left."""
    if event.unit != "bytes":
        return f"{event.done} of {event.total or '?'} {event.unit}"
    rate = (event.done - start) / seconds if seconds > 0 else 0.0
    parts = [f"{size(event.done)} of {size(event.total) if event.total else '?'}"]
    if rate > 0:
        parts.append(f"{size(int(rate))}/s")
    if rate > 0 and event.total and event.total > event.done:
        parts.append(f"{(event.total - event.done) / rate:.0f} s left")
    return ", ".join(parts)
