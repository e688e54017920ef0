"""Raw files as published, whatever they are packed in; records that cannot be used are named."""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from mozi_engine.errors import DataError

TOLERANCE = 0.01  # the part of the records that may be broken before preparing is refused
T = TypeVar("T")

ARCHIVES = (".tgz", ".tar.gz", ".tar")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that cannot be used, and why. `line` counts from 1; in a JSON file it counts records."""

    file: str
    line: int
    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.id or 'no id'}: {self.reason}"


def found(raw: Path, endings: Sequence[str]) -> list[Path]:
    """The file, or those of a folder with such an ending (or packed: .gz, .tgz, .tar), by name.

    Raises DataError when there are none.
    """
    if raw.is_file():
        return [raw]
    packed = (*endings, *(f"{ending}.gz" for ending in endings), *ARCHIVES)
    inside = raw.rglob("*") if raw.is_dir() else iter(())
    paths = sorted(
        p for p in inside if p.name.endswith(packed) and not p.name.startswith(".") and p.is_file()
    )
    if not paths:
        what = f"no {' or '.join(endings)} file in {raw}" if raw.is_dir() else f"there is nothing at {raw}"
        raise DataError(what, hint="give a file as published, its archive, or a folder of them")
    return paths


def documents(path: Path, ending: str = ".json") -> Iterator[tuple[str, Any]]:
    """Every JSON file at `path` (itself one, or in its archive), by name, parsed. Raises DataError."""
    for name, file in _unpacked(path, ending):
        with _readable(name):
            content = json.loads(file.read())
        yield name, content


def lines(
    path: Path, ending: str = ".jsonl", kinds: tuple[type, ...] = (dict,)
) -> Iterator[tuple[str, int, Any]]:
    """Every line of the JSONL files at `path`: file, line from 1, and its value, or Skipped.

    A value not of these kinds is Skipped too. Raises DataError when the file cannot be read to its end.
    """
    for name, file in _unpacked(path, ending):
        with _readable(name):
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield name, number, _value(name, number, line, kinds)


def _value(name: str, number: int, line: bytes, kinds: tuple[type, ...]) -> Any:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Skipped(name, number, "", f"not JSON: {error}")
    if not isinstance(record, kinds):
        return Skipped(name, number, "", f"{record!r:.40} is not an object")
    return record


def _unpacked(path: Path, ending: str) -> Iterator[tuple[str, IO[bytes]]]:
    with _readable(path.name):
        if not path.name.endswith(ARCHIVES):
            with _opened(path) as plain:
                yield path.name.removesuffix(".gz"), plain
            return
        with tarfile.open(path) as archive:
            members = sorted((m for m in archive if m.isfile()), key=lambda member: member.name)
            for member in members:
                name = Path(member.name).name
                # macOS packs what it knows of a file beside it, as ._NAME.
                if (
                    name.endswith(ending)
                    and not name.startswith(".")
                    and (file := archive.extractfile(member))
                ):
                    yield name, file


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError) as error:
        hint = "give a file as published; fetch it again if it was cut"
        raise DataError(f"{name} cannot be read: {error}", hint=hint) from error


def attempt(name: str, number: int, id_: str, make: Callable[[], T]) -> T | Skipped:
    """What `make` makes of a record, or its place and what is wrong with it."""
    try:
        return make()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Skipped(name, number, id_, reason(error))


def reason(error: Exception) -> str:
    """What is wrong with a record, in words."""
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def text(value: Any) -> str:
    """The value, if it is a text that can be written. Raises TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    if not value.isascii():
        value.encode()  # half a surrogate pair cannot be written
    return value


def texts(value: Any) -> tuple[str, ...]:
    """The values, if they are a list of such texts. Raises TypeError or ValueError."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.40} is not a list")  # a text would be taken letter by letter
    return tuple(map(text, value))


def check(skipped: Sequence[Skipped], whole: int, tolerance: float = TOLERANCE) -> None:
    """Raise DataError when more than `tolerance` of the records are broken, or when none is whole."""
    total = whole + len(skipped)
    if not total:
        raise DataError("there is no record in it", hint="see whether it is the file you meant")
    if len(skipped) <= tolerance * total and whole:
        return
    raise DataError(
        f"{len(skipped)} of {total} records are broken, more than {tolerance:.0%}; the first: {skipped[0]}",
        hint="see whether the file is whole and of this form; --tolerance 0.05 accepts 5% of broken records",
    )
