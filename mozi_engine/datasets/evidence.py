"""Questions with their evidence, without the papers: what circulates of QASPER's dev set.

An object from a question's id to `{"article_id", "text", "evidence"}`, the paragraphs of all annotators.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mozi_engine.datasets import qasper
from mozi_engine.datasets.qasper import QasperPaper, Question, Reference, Skipped
from mozi_engine.errors import DataError
from mozi_engine.types import Passage

_FLOAT = "FLOAT SELECTED"


def read(path: Path) -> Iterator[QasperPaper | Skipped]:
    """Every paper asked about, in the file's order; a paper's passages are all the evidence that is known.

    Also reads QASPER as published, with the whole papers. Raises DataError when the file is neither.
    """
    records = _records(path)
    if records is None:
        yield from qasper.read(path)
        return
    papers: dict[str, list[Question]] = {}
    for key, record in records.items():
        try:
            papers.setdefault(record["article_id"], []).append(_question(key, record))
        except (KeyError, TypeError) as error:
            yield Skipped("", key, f"{type(error).__name__}: {error}")
    for paper_id, asked in papers.items():
        known = dict.fromkeys(text for question in asked for text in question.references[0].evidence)
        passages = tuple(Passage(i, "", text, "text", ()) for i, text in enumerate(known))
        yield QasperPaper(paper_id, "", passages, tuple(asked))


def _records(path: Path) -> dict[str, Any] | None:
    """The file's questions; None where it is something else, which `qasper.read` tells of."""
    if path.suffix == ".gz":
        return None
    try:
        records = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(records, dict) or not records:
        return None
    first = next(iter(records.values()))
    return records if isinstance(first, dict) and "article_id" in first else None


def _question(key: str, record: Any) -> Question:
    evidence = tuple(text for text in record["evidence"] if _FLOAT not in text)
    spans = ", ".join(record.get("extractive_spans", ()))
    return Question(key, record["text"], (Reference(spans, "extractive", evidence),))


def papers(paths: list[str]) -> list[QasperPaper]:
    """The papers of all files; broken records are left out. Raises DataError when nothing is left."""
    found = [item for path in paths for item in read(Path(path)) if isinstance(item, QasperPaper)]
    if not found:
        raise DataError(
            f"no question in {', '.join(paths) or 'no file'}", hint="give QASPER files as published"
        )
    return found
