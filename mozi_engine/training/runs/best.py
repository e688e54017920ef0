"""The adapter with the lowest held-out loss of a run so far, kept apart from its checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

_MEASURED = "measured.json"  # beside the adapter's own files


@dataclass(frozen=True, slots=True)
class Kept:
    """Which step's adapter a folder holds; its loss on what is held out, None where that was not measured."""

    step: int
    held_out_loss: float | None


def read(adapter: Path) -> Kept | None:
    """What the folder holds; None when it holds no adapter that says so."""
    try:
        told = json.loads((adapter / _MEASURED).read_bytes())
        return Kept(int(told["step"]), told["held_out_loss"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(adapter: Path, kept: Kept, save: Callable[[Path], object]) -> None:
    """Have `save` write the files beside their place, then move them there: whole or not at all.

    One that is killed between two renames leaves the old folder beside the place, under a dot and `.old`.
    """
    part = adapter.with_name(f".{adapter.name}")
    shutil.rmtree(part, ignore_errors=True)
    save(part)
    (part / _MEASURED).write_text(json.dumps(asdict(kept)) + "\n", "utf-8")
    old = adapter.with_name(f".{adapter.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if adapter.exists():
        adapter.rename(old)  # a folder that holds something cannot be replaced
    part.rename(adapter)
    shutil.rmtree(old, ignore_errors=True)


def lowest(run: Path) -> Path:
    """Where a run keeps the adapter of its lowest held-out loss."""
    return run / "best"


def improves(run: Path, loss: float) -> bool:
    """Whether the loss is lower than that of the adapter that is kept."""
    kept = read(lowest(run))
    return kept is None or kept.held_out_loss is None or loss < kept.held_out_loss
