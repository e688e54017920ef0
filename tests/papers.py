"""Papers made by hand: lines of words on pages, joined as those of a PDF are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mozi_engine.paper import joining
from mozi_engine.paper.page import Line, Printed
from mozi_engine.types import Box, Kind, Paper, Paragraph, Section, Word


def line(text: str, page: int = 1, x: float = 50, y: float = 100) -> Line:
    """Words side by side, six points a character, ten points high."""
    printed = []
    for word in text.split():
        printed.append(Printed(word, Box(page, x, y, x + 6 * len(word), y + 10)))
        x += 6 * (len(word) + 1)
    return Line(tuple(printed), 10, bold=False)


def characters(text: str, page: int = 1, x: float = 50, y: float = 100) -> Line:
    """Characters side by side, as Chinese is printed."""
    places = (Box(page, x + 10 * at, y, x + 10 * at + 10, y + 10) for at in range(len(text)))
    return Line(
        tuple(Printed(c, box, glued=True) for c, box in zip(text, places, strict=True)), 10, bold=False
    )


def paragraph(*lines: Line, kind: Kind = "text") -> Paragraph:
    return joining.paragraph(kind, lines, frozenset())


def column(lines: Iterable[str], page: int = 1, x: float = 50, y: float = 100) -> list[Line]:
    return [line(text, page, x, y + 12 * at) for at, text in enumerate(lines)]


def paper(
    *paragraphs: Paragraph, pages: int = 1, title: str = "", scanned: Sequence[int] = (), identity: str = "a"
) -> Paper:
    sections = (Section("Results", 1, paragraphs),) if paragraphs else ()
    return Paper(identity, title, sections, (), pages, tuple(scanned))


def filler(page: int, count: int = 60) -> list[Paragraph]:
    """A page full of items, a line each."""
    items = (f"line {at} of page {page} is an item" for at in range(count))
    return [paragraph(item, kind="list") for item in column(items, page, y=10)]


def placed(words: Sequence[Word], text: str) -> list[tuple[str, Box]]:
    return [(text[word.start : word.end], word.box) for word in words]
