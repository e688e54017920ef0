"""Prepared conversations of several sources, mixed and shuffled by a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from mozi_engine.datasets import manifest, records
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.datasets.records import Skipped
from mozi_engine.errors import DataError
from mozi_engine.types import Progress


@dataclass(frozen=True, slots=True)
class Options:
    """`tolerance` is the part of lines that may be broken: none, in files that mozi itself wrote."""

    seed: int = 0
    tolerance: float = 0.0


def prepare(
    parts: Mapping[str, Path], out: Path, options: Options | None = None
) -> Iterator[Progress | Manifest]:
    """Mix the `SPLIT/sft.jsonl` of prepared folders, by name; the last item is the manifest.

    Each line gains `source`, its part's name, which also stands before its id. Order depends on the seed
    and the parts alone. Raises DataError for a folder that is not prepared and for a line that is none.
    """
    options = options or Options()
    made = {name: _manifest(name, folder) for name, folder in parts.items()}
    files = [(name, file) for name in parts for file in _conversations(made[name])]
    paths = {f"{name}/{file}": parts[name] / file for name, file in files}
    skipped: list[Skipped] = []
    with manifest.writing(out) as writer:
        for split in sorted({path.parent.name for path in paths.values()}):
            mixed: list[dict[str, Any]] = []
            for name, folder in parts.items():
                mixed += _read(name, folder / split / "sft.jsonl", skipped)
            Random(f"{options.seed} {split}").shuffle(mixed)  # noqa: S311
            yield Progress(f"mixing {split}", len(mixed), len(mixed), "records")
            for record in mixed:
                writer.count(split, f"examples, {record['source']}")
                writer.write(f"{split}/sft.jsonl", record)
        records.check(skipped, sum(inner.total() for inner in writer.counts.values()), options.tolerance)
        licence = "; ".join(f"{name}: {made[name]['licence']}" for name in parts)
        whole = manifest.made(writer, "sft", licence, options, paths, skipped)
    yield manifest.finish(out, whole)


def _manifest(name: str, folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / manifest.NAME).read_bytes())
        if not _conversations(known):
            raise ValueError("it has no conversations")
        records.text(known["licence"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = f"mozi prepare {name} RAW {folder}"
        raise DataError(f"{folder} is no folder that mozi has prepared: {error}", hint=hint) from error
    else:
        return dict(known)


def _conversations(known: Mapping[str, Any]) -> list[str]:
    return [output["name"] for output in known["outputs"] if output["name"].endswith("/sft.jsonl")]


def _read(name: str, path: Path, skipped: list[Skipped]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    found = []
    for file, number, record in records.lines(path):
        place = f"{name}/{file}"
        known = isinstance(record, Skipped)
        item = replace(record, file=place) if known else _marked(name, place, number, record)
        if isinstance(item, Skipped):
            skipped.append(item)
        else:
            found.append(item)
    return found


def _marked(name: str, file: str, number: int, record: dict[str, Any]) -> dict[str, Any] | Skipped:
    def make() -> dict[str, Any]:
        if record["messages"][-1]["role"] != "assistant" or not record["messages"][-1]["content"].strip():
            raise ValueError("the last message is no answer")
        json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair cannot be written
        return {**record, "id": f"{name}/{record['id']}", "source": name}

    return records.attempt(file, number, str(record.get("id", "")), make)
