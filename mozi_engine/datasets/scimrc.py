"""SciMRC (Zhang et al., 2023): questions about NLP papers from three kinds of reader, a paper a line.

A line has QASPER's shape; what SciMRC leaves out, a paper's id and title and a question's id, is made up
from the file's name and the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mozi_engine.datasets import qasper, records
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.datasets.records import Skipped


def splits(path: Path) -> Iterator[tuple[str, QasperPaper | Skipped]]:
    """Every paper of `smrc_{train,dev,test}.jsonl` (or .gz, or in a .tgz), with the name of its file.

    Raises DataError when the file cannot be read.
    """
    for name, number, record in records.lines(path):
        if isinstance(record, Skipped):
            yield name, record
            continue
        paper_id = _id(record, f"{name.partition('.')[0]}-{number}")
        for item in qasper.paper(paper_id, _completed(paper_id, record), name, number):
            yield name, item


def _completed(paper_id: str, record: dict[str, Any]) -> dict[str, Any]:
    asked = record.get("qas")
    if isinstance(asked, list):
        asked = [
            {"question_id": f"{paper_id}-q{number}"} | qa if isinstance(qa, dict) else qa
            for number, qa in enumerate(asked, start=1)
        ]
    return {"title": ""} | record | {"qas": asked}


def _id(record: dict[str, Any], otherwise: str) -> str:
    known = (record.get(key) for key in ("id", "paper_id"))
    return next((value for value in known if isinstance(value, str) and value), otherwise)
