"""What the folders of training runs tell: recipes, measures, how far they came; torch is not loaded."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import yaml

from mozi_engine.errors import DataError

State = Literal["finished", "running", "stopped"]

_RECIPE, _METRICS, _STATE = "recipe.yaml", "metrics.jsonl", "state.json"
_MADE = ("adapter", "encoder")  # the folder that a training leaves when it has come to its end
_KINDS = {
    "loss_on": "sft",
    "data.corpus": "pretrain",
    "positives": "retriever",
}  # a key that only one kind of recipe has
_BEST = {"held_out_loss": min, "recall_at_5": max}  # what decides which weights are kept
_QUIET = (
    600.0  # seconds without a line in the metrics, after which a run on another machine counts as stopped
)


@dataclass(frozen=True, slots=True)
class Series:
    """One measure over a run, in the order of its steps; step 0 and below is before the first."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """The best that was measured on what is held out, after a step."""

    name: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Run:
    """A training. `recipe` has its keys with dots; `changed` is when it last measured, since the epoch.

    `problems` says what of the folder could not be read; the rest is as if that had not been there.
    """

    folder: Path
    kind: str  # "pretrain", "sft", "retriever"; "?" where the recipe does not tell
    recipe: tuple[tuple[str, str], ...]
    series: tuple[Series, ...]
    checkpoints: tuple[int, ...]
    state: State
    total: int | None  # steps
    changed: float
    problems: tuple[str, ...]

    @property
    def step(self) -> int:
        """The last step that was measured."""
        return max((each.steps[-1] for each in self.series), default=0)

    @property
    def best(self) -> Best | None:
        """The best held-out measure of the trained weights."""
        for name, choose in _BEST.items():
            measured = self.measured(name)
            after = [pair for pair in _pairs(measured) if pair[0] > 0 and math.isfinite(pair[1])]
            if after:
                return Best(name, *choose(after, key=lambda pair: pair[1]))
        return None

    @property
    def before(self) -> float | None:
        """The held-out loss before the first step, where it was measured."""
        return next((value for step, value in _pairs(self.measured("held_out_loss")) if step == 0), None)

    def value(self, key: str) -> str:
        """What the recipe says of the key; "" where it says nothing."""
        return dict(self.recipe).get(key, "")

    def measured(self, name: str) -> Series | None:
        """The measure of that name, if there is one."""
        return next((each for each in self.series if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """A key of the recipe and what each of the runs has there."""

    key: str
    values: tuple[str, ...]


def find(places: Sequence[Path]) -> list[Run]:
    """The runs in the places: a run's folder, or a folder of runs. Raises DataError when one is neither."""
    return [read(folder) for place in places for folder in _folders(place)]


def _folders(place: Path) -> list[Path]:
    if _holds_run(place):
        return [place]
    found = sorted(filter(_holds_run, place.iterdir())) if place.is_dir() else []
    if not found:
        raise DataError(
            f"no training run in {place}", hint="name the folder that `mozi train --out` was given"
        )
    return found


def _holds_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (_RECIPE, _METRICS))


def read(folder: Path) -> Run:
    """What the run's folder tells. What is broken or missing in it is among the problems."""
    problems: list[str] = []
    recipe = tuple(_recipe(folder / _RECIPE, problems))
    series = _series(folder / _METRICS, problems)
    began = _began(folder / _STATE, problems)
    last = folder / (_METRICS if (folder / _METRICS).exists() else _RECIPE)
    changed = last.stat().st_mtime
    keys = {key for key, _ in recipe}
    return Run(
        folder,
        next((kind for key, kind in _KINDS.items() if key in keys), "?"),
        recipe,
        series,
        tuple(_checkpoints(folder / "checkpoints", problems)),
        _state(folder, began, changed),
        _number(began.get("total")),
        changed,
        tuple(problems),
    )


def _recipe(path: Path, problems: list[str]) -> Iterator[tuple[str, str]]:
    try:
        written = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        problems.append(f"no {_RECIPE}")
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        problems.append(f"{_RECIPE} cannot be read")
    else:
        if isinstance(written, dict):
            yield from _flat(written)
        else:
            problems.append(f"{_RECIPE} is no recipe")


def _flat(values: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)


def _series(path: Path, problems: list[str]) -> tuple[Series, ...]:
    found: dict[str, list[tuple[int, float]]] = {}
    broken = 0
    for line in _lines(path, problems):
        measures = _measures(line)
        broken += measures is None
        for step, name, value in measures or ():
            found.setdefault(name, []).append((step, value))
    if broken:
        problems.append(f"{broken} lines of {_METRICS} cannot be read")
    return tuple(Series(name, *zip(*sorted(pairs), strict=True)) for name, pairs in found.items())


def _lines(path: Path, problems: list[str]) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        problems.append(f"no {_METRICS}: nothing was measured")
    except OSError:
        problems.append(f"{_METRICS} cannot be read")
    return []


def _measures(line: bytes) -> list[tuple[int, str, float]] | None:
    """Every measure of a line, at its step; None where the line is none."""
    try:
        record = json.loads(line)
        step = int(record.pop("step"))
        return [(step, str(name), float(value)) for name, value in record.items() if name != "epoch"]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def _began(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        written = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}  # a run of an earlier version has none
    except (OSError, ValueError):
        written = None
    if isinstance(written, dict):
        return written
    problems.append(f"{_STATE} cannot be read")
    return {}


def _checkpoints(folder: Path, problems: list[str]) -> Iterator[int]:
    for path in sorted(folder.glob("checkpoint-*"), key=lambda path: (len(path.name), path.name)):
        step = path.name.partition("-")[2]
        if step.isdecimal() and (path / "trainer_state.json").is_file():
            yield int(step)
        else:
            problems.append(f"checkpoints/{path.name} is not whole")


def _state(folder: Path, began: dict[str, Any], changed: float) -> State:
    if any((folder / name).is_dir() for name in _MADE):
        return "finished"
    if began.get("host") == platform.node():
        return "running" if _lives(began) else "stopped"
    return "running" if "host" in began and time.time() - changed < _QUIET else "stopped"


def _lives(began: dict[str, Any]) -> bool:
    try:  # another process may have been given the number since
        return bool(abs(psutil.Process(began["pid"]).create_time() - began["started"]) < 2)
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def began(run: Path, total: int) -> None:
    """Write down that this process trains the run, in so many steps."""
    process = psutil.Process()
    record = {"total": total, "host": platform.node(), "pid": process.pid, "started": process.create_time()}
    (run / _STATE).write_text(json.dumps(record) + "\n", "utf-8")


def differences(runs: Sequence[Run]) -> list[Difference]:
    """The recipes' keys that are not the same in all runs; "" where a run's recipe has no such key."""
    keys = dict.fromkeys(key for run in runs for key, _ in run.recipe)
    found = (Difference(key, tuple(run.value(key) for run in runs)) for key in keys)
    return [each for each in found if len({*each.values}) > 1]


def curves(runs: Sequence[Run], measures: Sequence[str]) -> list[tuple[Run, Series]]:
    """The measures of those names, of every run that has them. Raises DataError when none has any."""
    pairs = ((run, run.measured(name)) for run in runs for name in measures)
    found = [(run, series) for run, series in pairs if series]
    if not found:
        names = dict.fromkeys(series.name for run in runs for series in run.series)
        raise DataError(
            f"no run measured {' or '.join(measures)}",
            hint=f"--measure takes {', '.join(names)}" if names else "nothing was measured yet",
        )
    return found


def _pairs(series: Series | None) -> Iterable[tuple[int, float]]:
    return zip(series.steps, series.values, strict=True) if series else ()


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
