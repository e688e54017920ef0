"""A run's folder: what it was asked for, and its lines as they come, so that it can be stopped and go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mozi_engine.errors import DataError
from mozi_engine.files import atomic, unwritable


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run's answers depend on; `data` is the file's sha256."""

    data: str
    model: str
    evidence: str
    retriever: str
    passages: int
    seed: int


@dataclass(frozen=True, slots=True)
class Talk:
    """All that a run's replies depend on; `data` is the file's sha256, `prompt` who replies."""

    data: str
    model: str
    prompt: str
    seed: int


def begin(folder: Path, run: Run | Talk) -> None:
    """Write down what the run is, or check that it is the one that was begun here.

    Raises DataError when the folder holds another run.
    """
    path = folder / "run.json"
    wanted: dict[str, str | int] = asdict(run)
    known = _known(path)
    if known is None:
        with atomic(path) as file:
            file.write(json.dumps(wanted, ensure_ascii=False, indent=1).encode() + b"\n")
        return
    if other := [name for name in wanted if known.get(name) != wanted[name]]:
        told = ", ".join(f"{name} {known.get(name)}" for name in other)
        raise DataError(f"{folder} holds another run: {told}", hint="name a new folder")


def _known(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read", hint="name a new folder") from error
    return known if isinstance(known, dict) else {}


def written(path: Path) -> list[dict[str, Any]]:
    """The objects that a run wrote, [] before it did; a last line that was cut is not there.

    Raises DataError for a line that is no object.
    """
    if not path.exists():
        return []
    hint = "name a new folder"
    return _objects(path, _bytes(path, hint).split(b"\n")[:-1], hint)


def lines(path: Path, hint: str) -> list[dict[str, Any]]:
    """The objects of a JSONL file. Raises DataError, with this hint, for a line that is none."""
    return _objects(path, _bytes(path, hint).splitlines(), hint)


def _bytes(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def _objects(path: Path, texts: Sequence[bytes], hint: str) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(texts, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number} is no JSON", hint=hint) from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number} is no object", hint=hint)
        found.append(record)
    return found


def trim(path: Path) -> None:
    """Cut off a last line that a kill left unfinished. Raises DataError when the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
    except OSError as error:
        raise unwritable(path, error) from error


def append(path: Path, found: Mapping[str, Any]) -> None:
    """Write the object as one more line. Raises DataError when the file cannot be written."""
    line = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    try:
        with path.open("ab") as file:
            file.write(line)
    except OSError as error:
        raise unwritable(path, error) from error
