"""What memory a training took, beside what was foretold."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch

from mozi_engine.training.memory.estimate import Memory


@dataclass(frozen=True, slots=True)
class Compared:
    """A prediction and what was measured; None where the process had once taken more before it trained."""

    predicted: Memory
    measured: int | None


class Gauge:
    """Measures from now on what this process takes more than it had."""

    def __init__(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._had = 0 if torch.cuda.is_available() else int(psutil.Process().memory_info().rss)
        self._most = _peak()

    def measured(self) -> int | None:
        """Bytes at the peak; None where there was a higher one before."""
        most = _peak()
        return most - self._had if most > self._most or torch.cuda.is_available() else None


def _peak() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def write(compared: Compared, run: Path) -> None:
    """Keep the parts, their sum and what was measured, in bytes, in `run/memory.json`."""
    predicted = {**asdict(compared.predicted), "total": compared.predicted.total}
    kept = {"predicted": predicted, "measured": compared.measured}
    (run / "memory.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
