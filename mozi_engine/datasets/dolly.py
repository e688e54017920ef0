"""Dolly (Conover et al., 2023): instructions and answers that people wrote, as conversations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mozi_engine import prompts
from mozi_engine.datasets import examples, manifest, records
from mozi_engine.datasets.examples import Conversation
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.datasets.records import Skipped, text
from mozi_engine.types import Progress, Turn

LICENCE = "CC BY-SA 3.0 (Databricks, 2023)"


@dataclass(frozen=True, slots=True)
class Options:
    """Nothing is drawn by chance here; the seed is there for the manifest."""

    seed: int = 0
    tolerance: float = records.TOLERANCE


def prepare(raw: Path, out: Path, options: Options | None = None) -> Iterator[Progress | Manifest]:
    """Read `raw` (.jsonl, .gz, or a folder of them) and write `out/train/sft.jsonl`; the manifest comes last.

    Raises DataError when a file cannot be read or too many records are broken; `out` then has no file.
    """
    options = options or Options()
    paths = records.found(raw, (".jsonl",))
    skipped: list[Skipped] = []
    whole = 0
    with manifest.writing(out) as writer:
        for item in (made for path in paths for made in _conversations(path)):
            if isinstance(item, Skipped):
                skipped.append(item)
                continue
            whole += 1
            writer.count("train", "examples for fine-tuning")
            writer.count("train", f"tasks, {item.type}")
            writer.write("train/sft.jsonl", examples.record(item))
            yield Progress("preparing", whole, None, "records")
        yield Progress("preparing", whole, whole, "records")
        records.check(skipped, whole, options.tolerance)
        made = manifest.made(writer, "dolly", LICENCE, options, manifest.named(raw, paths), skipped)
    yield manifest.finish(out, made)


def _conversations(path: Path) -> Iterator[Conversation | Skipped]:
    for name, number, record in records.lines(path):
        if isinstance(record, Skipped):
            yield record
        else:
            identity = f"{name.partition('.')[0]}-{number}"
            yield records.attempt(name, number, identity, lambda: _conversation(identity, record))  # noqa: B023


def _conversation(identity: str, record: dict[str, Any]) -> Conversation:
    instruction, answer = text(record["instruction"]).strip(), text(record["response"]).strip()
    if not instruction or not answer:
        raise ValueError("no instruction" if not instruction else "no response")
    about = text(record.get("context") or "").strip()
    turns = (*prompts.render_task(instruction, about), Turn("assistant", answer))
    return Conversation(identity, text(record.get("category") or "instruction"), turns)
