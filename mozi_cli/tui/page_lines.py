"""The pieces of a page, broken into lines of so many cells. Pure functions: characters in, columns out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from mozi_engine.paper.pages import REFERENCES, Piece

BULLET = "• "
_COLUMN_GAP = 2
_CELLS = " | "
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING = "「『【《〈〔（［｛"
_CLOSING = "、。，．・：；？！）］｝」』】》〉〕ー々…”’"
# What stands on one line: a word; a CJK character with the punctuation that must not part from it.
_UNIT = re.compile(
    rf"\n|[^\S\n]+|[{_OPENING}]*[{_CJK}][{_CLOSING}]*|[^\s{_CJK}]+[{_CLOSING}]*",
)
_MARKED_ITEM = re.compile(r"[^\w\s]\s|\(?[\w]{1,3}[.)]\s|\[")


@dataclass(frozen=True, slots=True)
class Part:
    """Characters `start` to `end` of the paragraph's text, drawn from a column on."""

    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line: parts of one piece, left to right, after a lead that is not in the text. No piece: blank."""

    piece: Piece | None = None
    parts: tuple[Part, ...] = ()
    lead: str = ""


def lines(pieces: Sequence[Piece], width: int) -> list[Line]:
    """The page's lines, none wider than `width` cells (a character wider than that has one to itself)."""
    written: list[Line] = []
    for at, piece in enumerate(pieces):
        if at and not _close(pieces[at - 1], piece):
            written.append(Line())
        written += _table(piece, width) or _flow(piece, width)
    return written


def _close(above: Piece, below: Piece) -> bool:
    """Whether no blank line parts them: the items of a list, the notes at the foot."""
    return above.paragraph.kind == below.paragraph.kind in ("list", "footnote")


def _flow(piece: Piece, width: int) -> list[Line]:
    kind, continued = piece.paragraph.kind, piece.start > 0
    lead = BULLET if kind == "list" and not continued and not _MARKED_ITEM.match(piece.text) else ""
    hang = 2 if kind == "list" or (piece.section == REFERENCES and kind != "heading") else 0
    indent = cell_len(lead) if lead else hang if continued or kind == "equation" else 0
    return [
        Line(piece, (Part(hang if at else indent, start, end),), "" if at else lead)
        for at, (start, end) in enumerate(wrap(piece.paragraph.text, piece.start, piece.end, width - hang))
    ]


def wrap(text: str, start: int, end: int, width: int) -> Iterator[tuple[int, int]]:
    """Break `text[start:end]` into lines of at most `width` cells, without the white space round them.

    Between words; between any two Chinese or Japanese characters, but never before closing or after
    opening punctuation; inside a word only where it is wider than a line.
    """
    width = max(width, 1)
    first = last = start  # the line under way holds text[first:last]
    used = 0
    for unit in _UNIT.finditer(text, start, end):
        if unit[0] == "\n":
            yield first, last
            first = last = unit.end()
            used = 0
            continue
        if unit[0].isspace():
            if last == first:
                first = last = unit.end()
            continue
        taken = used + cell_len(text[last : unit.end()])
        if taken > width and last > first:
            yield first, last
            first, taken = unit.start(), cell_len(unit[0])
        last, used = unit.end(), taken
        if used > width:
            *whole, rest = filter(None, chop_cells(unit[0], width))
            for full in whole:
                yield first, first + len(full)
                first += len(full)
            used = cell_len(rest)
    if last > first:
        yield first, last


def _table(piece: Piece, width: int) -> list[Line]:
    """A table's rows with their cells one under the other; nothing where they are too wide for that."""
    if piece.paragraph.kind != "table":
        return []
    rows = [_cells(piece.paragraph.text, *row) for row in _rows(piece)]
    count = max(map(len, rows), default=0)
    text = piece.paragraph.text
    widths = [max(cell_len(text[slice(*row[at])]) for row in rows if at < len(row)) for at in range(count)]
    columns = [sum(widths[:at]) + _COLUMN_GAP * at for at in range(count)]
    if sum(widths) + _COLUMN_GAP * (count - 1) > width:
        return []
    return [
        Line(piece, tuple(Part(column, *cell) for column, cell in zip(columns, row, strict=False)))
        for row in rows
    ]


def _rows(piece: Piece) -> Iterator[tuple[int, int]]:
    start = piece.start
    for row in piece.text.split("\n"):
        if row:
            yield start, start + len(row)
        start += len(row) + 1


def _cells(text: str, start: int, end: int) -> list[tuple[int, int]]:
    cells = []
    for cell in text[start:end].split(_CELLS):
        cells.append((start, start + len(cell)))
        start += len(cell) + len(_CELLS)
    return cells
