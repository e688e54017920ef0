"""A training, shown on stderr while it goes on: a panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mozi_cli.progress import EVERY
from mozi_engine.files import size
from mozi_engine.training.llm.causal import Trained
from mozi_engine.training.llm.progress import Beyond, Evaluated, Shortened
from mozi_engine.training.memory import estimate
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.memory.gauge import Compared
from mozi_engine.training.runs.step import Searched, Step


class Shown:
    """Where a training reports to; `title` stands above its panel."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._title, self._said = title, -math.inf
        self._measured: list[Evaluated] = []
        self._found = ""  # by a retriever in training

    def __call__(self, event: Memory | Beyond | Shortened | Step | Evaluated | Searched) -> None:
        """Show what the training says."""
        if isinstance(event, Memory):
            self._console.print(f"memory: {estimate.told(event)}", soft_wrap=True)
        elif isinstance(event, Beyond):
            self._console.print(beyond(event), soft_wrap=True)
        elif isinstance(event, Shortened):
            if event.cut or event.lost:
                self._console.print(shortened(event), soft_wrap=True)
        elif isinstance(event, Evaluated):
            self._measured.append(event)
            self._console.print(evaluated(event))
        elif isinstance(event, Searched):
            self._found = found(event, "recall at 5", "MRR")
            self._console.print(f"held out, after epoch {event.epoch:g}: {found(event)}", soft_wrap=True)
        elif self._console.is_terminal:
            if not self._live.is_started:
                self._live.start()
            told = self._found or _held_out(self._measured)
            self._live.update(panel(self._title, event, told), refresh=True)
        elif time.monotonic() - self._said >= EVERY or event.done == event.total:
            self._said = time.monotonic()
            self._console.print(step(event), soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was, under the last of the panel."""
        self._live.stop()


def panel(title: str, event: Step, held_out: str) -> Panel:
    """How far it is, and what was measured last on what is held out."""
    rows = [
        ("loss", f"{event.loss:.3f}", "held out", held_out),
        ("learning rate", f"{event.lr:.1e}", "speed", f"{event.speed:.0f} {event.unit}/s"),
        ("time left", _left(event.seconds_left), "memory", size(event.bytes)),
    ]
    figures = Table.grid(padding=(0, 2, 0, 0))
    for number in range(4):
        figures.add_column(style="" if number % 2 else "dim", no_wrap=True)
    for row in rows:
        figures.add_row(*row)
    done = Table.grid(padding=(0, 1, 0, 0), expand=True)
    done.add_row(Text(f"step {event.done} of {event.total}"), ProgressBar(event.total, event.done))
    return Panel(Group(done, figures), title=Text(title), title_align="left", border_style="dim")


def _held_out(measured: list[Evaluated]) -> str:
    if not measured:
        return "-"
    best = min(measured, key=lambda event: event.loss)
    last = f"{measured[-1].loss:.3f}"
    return last if best is measured[-1] else f"{last} (best {best.loss:.3f}, step {best.step})"


def step(event: Step) -> str:
    """A step in words: "step 3 of 40, loss 2.114, lr 1.0e-04, 48 tokens/s, 3.2 GB, 12 min left"."""
    return (
        f"step {event.done} of {event.total}, loss {event.loss:.3f}, lr {event.lr:.1e}, "
        f"{event.speed:.0f} {event.unit}/s, {size(event.bytes)}, {_left(event.seconds_left)} left"
    )


def evaluated(event: Evaluated) -> str:
    """A measurement in words, as loss and as perplexity."""
    perplexity = f"perplexity {math.exp(min(event.loss, 700)):.2f}"
    return f"held out, after step {event.step}: loss {event.loss:.3f}, {perplexity}"


def found(event: Searched, *names: str) -> str:
    """The scores of those names, or all, in percent: "recall at 5 54.9, MRR 51.6"."""
    scores = [score for score in event.scores if not names or score.name in names]
    return ", ".join(f"{score.name} {score.value * 100:.1f}" for score in scores)


def shortened(event: Shortened) -> str:
    """How many conversations do not fit a row: "2 of 16 conversations are cut, and 1 left out: …"."""
    left = f", and {event.lost} left out" if event.lost else ""
    return f"{event.cut} of {event.examples} conversations are cut{left}: they are longer than a row"


def beyond(event: Beyond) -> str:
    """That rows are longer than what the base can read, and what would fit."""
    return (
        f"note: rows of {event.length} tokens, but the base was made for {event.context}; "
        f"length={event.context} fits"
    )


def ended(training: Trained, before: float | None = None) -> str:
    """How a training ended, and what there is to do; `before` is the held-out loss that it began with."""
    if training.adapter is None:
        return stopped(training.done, training.total)
    return f"written: {training.adapter}{_learned(training, before)}{_took(training.memory)}"


def stopped(done: int, total: int) -> str:
    """That a training was stopped, and how it goes on."""
    return f"stopped after step {done} of {total}; the same with --resume goes on"


def _learned(training: Trained, before: float | None) -> str:
    kept = training.kept
    if kept is None or kept.held_out_loss is None:
        return ""
    which = "the last step" if kept.step == training.done else f"step {kept.step} of {training.done}"
    told = f", of {which}: held-out loss {kept.held_out_loss:.3f}"
    if before is None:
        return told
    worse = "" if kept.held_out_loss < before else "; nothing held out was learned"
    return f"{told}, before training {before:.3f}{worse}"


def _took(compared: Compared | None) -> str:
    if compared is None or compared.measured is None:
        return ""
    return f"; it took {size(compared.measured)} of memory, predicted {size(compared.predicted.total)}"


def _left(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Interrupted:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.yes = False

    def __call__(self) -> bool:
        """The answer."""
        return self.yes


@contextmanager
def following(title: str) -> Iterator[tuple[Shown, Interrupted]]:
    """Where a training reports to, and whether Ctrl-C asks it to stop."""
    shown = Shown(title)
    try:
        with interruptible() as interrupted:
            yield shown, interrupted
    finally:
        shown.close()


@contextmanager
def interruptible() -> Iterator[Interrupted]:
    """The first Ctrl-C is remembered, for the training to end with its step; a second one breaks it off."""
    interrupted = Interrupted()

    def remember(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  what a handler is given
        signal.signal(signal.SIGINT, before)
        interrupted.yes = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
