"""A folder of prepared data: JSONL files that appear whole, and a manifest that tells what they are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from mozi_engine import files
from mozi_engine.datasets.records import Skipped
from mozi_engine.errors import DataError

NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class File:
    """A file by name (relative to its folder), its length in bytes and its sha256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was made from what. `counts` and `left_out` are by split, then by what is counted.

    `skipped` are the broken records; `left_out` are whole ones that this preparation has no use for.
    """

    kind: str
    licence: str
    seed: int
    options: Mapping[str, object]
    sources: tuple[File, ...]
    outputs: tuple[File, ...]
    counts: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, Mapping[str, int]]
    skipped: tuple[Skipped, ...]
    mozi: str = field(default_factory=lambda: importlib.metadata.version("mozi"))


class Writer:
    """Writes records as lines of JSON, and counts."""

    def __init__(self, out: Path, stack: ExitStack) -> None:
        self._out, self._stack = out, stack
        self._files: dict[str, tuple[IO[bytes], Any]] = {}
        self.counts: dict[str, Counter[str]] = {}
        self.left_out: dict[str, Counter[str]] = {}

    def write(self, name: str, record: Mapping[str, object]) -> None:
        """Append the record to the file of that name, which is made when it is first named."""
        if name not in self._files:
            file = self._stack.enter_context(files.atomic(self._out / name))
            self._files[name] = file, hashlib.sha256()
        file, digest = self._files[name]
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        file.write(line)
        digest.update(line)

    def count(self, split: str, what: str, more: int = 1) -> None:
        """So many more of these in the split."""
        self.counts.setdefault(split, Counter())[what] += more

    def leave_out(self, split: str, why: str) -> None:
        """One more whole record that is not used."""
        self.left_out.setdefault(split, Counter())[why] += 1

    def written(self) -> tuple[File, ...]:
        """The files so far, by name."""
        return tuple(
            File(name, file.tell(), digest.hexdigest())
            for name, (file, digest) in sorted(self._files.items())
        )


@contextmanager
def writing(out: Path) -> Iterator[Writer]:
    """Files in `out` that appear together at the end, or not at all; an earlier preparation goes first."""
    clear(out)
    with ExitStack() as stack:
        yield Writer(out, stack)


def made(
    writer: Writer,
    kind: str,
    licence: str,
    options: Any,
    read: Mapping[str, Path],
    skipped: Sequence[Skipped],
) -> Manifest:
    """The manifest of what was written so far. `options` is a dataclass that has a seed."""
    given = asdict(options)
    seed = given.pop("seed")
    counts, left_out = _plain(writer.counts), _plain(writer.left_out)
    files_read, files_made = hashed(read), writer.written()
    return Manifest(kind, licence, seed, given, files_read, files_made, counts, left_out, tuple(skipped))


def finish(out: Path, manifest: Manifest) -> Manifest:
    """Write the manifest: the last file, so that a folder that has one is whole."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True)
    with files.atomic(out / NAME) as file:
        file.write(text.encode("utf-8", "replace") + b"\n")  # a broken record's id may be half a pair
    return manifest


def named(raw: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """The raw files by their names within the folder `raw`; a file alone by its own."""
    return {path.name if path == raw else path.relative_to(raw).as_posix(): path for path in paths}


def hashed(read: Mapping[str, Path]) -> tuple[File, ...]:
    """The files as they are on the disk, by name. Raises DataError for one that cannot be read."""
    try:
        return tuple(
            File(name, path.stat().st_size, files.sha256(path)) for name, path in sorted(read.items())
        )
    except OSError as error:
        hint = "check its name and permissions"
        raise DataError(f"cannot read {error.filename}: {error.strerror}", hint=hint) from error


def _plain(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {split: dict(sorted(inner.items())) for split, inner in sorted(counts.items())}


def clear(out: Path) -> None:
    """Remove what an earlier preparation made here, whole or killed; nothing else."""
    known = out / NAME
    try:
        if known.is_file():
            names = [output["name"] for output in json.loads(known.read_bytes())["outputs"]]
            known.unlink()
            for name in names:
                if (out / name).resolve().is_relative_to(out.resolve()):
                    (out / name).unlink(missing_ok=True)
        for left in (path for path in out.rglob(".*.jsonl.*") if path.is_file()):
            left.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "choose another folder, or remove this one"
        raise DataError(f"{out} holds something that is not mozi's: {error}", hint=hint) from error
