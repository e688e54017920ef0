"""The commands behind a report: carried out once, and told as who repeats them would type them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mozi_engine.training.runs import history

Steps = Sequence[tuple[Path, list[str]]]  # what a command leaves behind, and its words after `mozi`

_MOZI = str(Path(sys.executable).with_name("mozi"))


def carry_out(steps: Steps) -> None:
    """Run each command whose work is not there yet."""
    for made, command in steps:
        if not made.exists():
            subprocess.run([_MOZI, *command], check=True)


def told(steps: Steps, paths: Iterable[Path]) -> str:
    """The commands, indented, each of these paths by its name alone."""
    lines = "\n".join(f"    mozi {' '.join(command)}" for _, command in steps).replace(" --resume", "")
    for path in paths:
        lines = lines.replace(str(path), path.name)
    return lines


def resumed(run: Path) -> list[str]:
    """What to add to a training's command where it was stopped."""
    return ["--resume"] if any(run.glob("checkpoints/checkpoint-*")) else []


def measured(run: Path, name: str) -> list[float]:
    """One measure of a training, in the order of its steps."""
    series = history.read(run).measured(name)
    return list(series.values) if series else []
