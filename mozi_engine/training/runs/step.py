"""What trainings report while they go on: their steps, and what a retriever finds so far."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil
import torch

from mozi_engine.evaluation.bootstrap import Score


@dataclass(frozen=True, slots=True)
class Step:
    """Training so far: `done` of `total` steps; `loss`, in nats, and `lr` of the last step.

    `speed` is in `unit` (tokens, pairs) a second. `bytes` is the memory taken: the GPU's peak where there is
    one, else the process's now.
    """

    done: int
    total: int
    loss: float
    lr: float
    speed: float
    unit: str
    bytes: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Searched:
    """A retriever's scores on the papers that are held out, after an epoch (0: before any)."""

    epoch: float
    scores: tuple[Score, ...]


class Clock:
    """How fast a training is from now on, and how long it will take."""

    def __init__(self, done: float = 0) -> None:
        """`done` of its units are behind it already."""
        self._began, self._first = time.monotonic(), done

    def step(
        self, numbers: tuple[int, int], units: tuple[float, float], unit: str, loss: float, lr: float
    ) -> Step:
        """A step by its number of so many, and the units that are done then, of so many."""
        (done, total), (read, all_of_them) = numbers, units
        speed = (read - self._first) / max(time.monotonic() - self._began, 1e-9)
        return Step(done, total, loss, lr, speed, unit, _memory(), (all_of_them - read) / speed)


def _memory() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return int(psutil.Process().memory_info().rss)
