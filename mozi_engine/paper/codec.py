"""A Paper as compact JSON and back: for the disk, and for the pipe from the process that reads PDFs.

Boxes are whole hundredths of a point, words flat runs of seven numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mozi_engine.types import Box, Paper, Paragraph, Section, Word

# Raise it when reading a PDF gives something else than before: older cache entries are then rebuilt.
VERSION = 1


def encode(paper: Paper) -> str:
    """One line of JSON."""
    content = {
        "version": VERSION,
        "id": paper.id,
        "title": paper.title,
        "sections": [[s.title, s.level, [_row(p) for p in s.paragraphs]] for s in paper.sections],
        "references": [_row(p) for p in paper.references],
        "pages": paper.pages,
        "scanned": paper.scanned,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def decode(text: str | bytes) -> Paper:
    """The Paper of `encode`. Raises ValueError for anything else."""
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, not {VERSION}")
        return Paper(
            str(content["id"]),
            str(content["title"]),
            tuple(Section(t, level, _paragraphs(rows)) for t, level, rows in content["sections"]),
            _paragraphs(content["references"]),
            int(content["pages"]),
            tuple(content["scanned"]),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a paper: {error!r}") from error


def words_as_numbers(words: Iterable[Word]) -> list[int]:
    """Seven numbers a word: start, end, page, and the box in hundredths of a point."""
    flat: list[int] = []
    for word in words:
        box = word.box
        flat += (word.start, word.end, box.page)
        flat += (round(value * 100) for value in (box.x0, box.y0, box.x1, box.y1))
    return flat


def words_from_numbers(flat: Iterable[int]) -> tuple[Word, ...]:
    """The words of `words_as_numbers`. Raises ValueError when there are not seven numbers a word."""
    numbers = iter(flat)
    return tuple(
        Word(start, end, Box(page, x0 / 100, y0 / 100, x1 / 100, y1 / 100))
        for start, end, page, x0, y0, x1, y1 in zip(*[numbers] * 7, strict=True)
    )


def _row(paragraph: Paragraph) -> list[Any]:
    return [paragraph.text, paragraph.kind, words_as_numbers(paragraph.words)]


def _paragraphs(rows: Iterable[Any]) -> tuple[Paragraph, ...]:
    return tuple(Paragraph(text, kind, words_from_numbers(flat)) for text, kind, flat in rows)
