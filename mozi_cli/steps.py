"""A training, shown on stderr while it goes on: one line that changes, or a line now and then in a log."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mozi_cli.progress import EVERY
from mozi_engine.files import size
from mozi_engine.training.finetune import Evaluated, Step


class Shown:
    """Where a training reports to."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._said = -math.inf

    def __call__(self, event: Step | Evaluated) -> None:
        """Show what the training says."""
        if isinstance(event, Evaluated):
            self._console.print(evaluated(event))
        elif self._console.is_terminal:
            if not self._live.is_started:
                self._live.start()
            self._live.update(Text(step(event)), refresh=True)
        elif time.monotonic() - self._said >= EVERY or event.done == event.total:
            self._said = time.monotonic()
            self._console.print(step(event), soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()


def step(event: Step) -> str:
    """A step in words: "step 3 of 40, loss 2.114, lr 1.0e-04, 48 tokens/s, 3.2 GB, 12 min left"."""
    return (
        f"step {event.done} of {event.total}, loss {event.loss:.3f}, lr {event.lr:.1e}, "
        f"{event.tokens_per_second:.0f} tokens/s, {size(event.bytes)}, {_left(event.seconds_left)} left"
    )


def evaluated(event: Evaluated) -> str:
    """A measurement in words, as loss and as perplexity."""
    perplexity = f"perplexity {math.exp(min(event.loss, 700)):.2f}"
    return f"held out, after step {event.step}: loss {event.loss:.3f}, {perplexity}"


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
