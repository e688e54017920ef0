"""What is printed on a page, before anyone has said what it means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mozi_engine.types import Box

Role = Literal[
    "title", "heading", "text", "list", "table", "caption", "picture", "equation", "footnote", "margin"
]

_CJK = re.compile(r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_UNKNOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\ue000-\uf8ff\ufffd]")
# TeX's old encodings print an accent and its letter side by side; the accent comes first.
_ACCENTS = str.maketrans("´¨˝ˇ˜ˆ˚", "\u0301\u0308\u030b\u030c\u0303\u0302\u030a")
_ACCENTED = re.compile(r"([´¨˝ˇ˜ˆ˚])([A-Za-zı])")
_LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
}


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed word; where nothing separates the characters (Chinese, Japanese), one character.

    `glued` means no space stands before it on its line.
    """

    text: str
    box: Box
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Words side by side, left to right. `size` is the type size in points; `block` the file's grouping.

    `box` is the smallest one round the words.
    """

    words: tuple[Printed, ...]
    size: float
    bold: bool
    block: int = 0
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", hull(word.box for word in self.words))

    @property
    def text(self) -> str:
        """The words as printed, spaces between them."""
        return "".join(w.text if w.glued else f" {w.text}" for w in self.words).strip()


@dataclass(frozen=True, slots=True)
class PageText:
    """A page's lines in the file's order. Width and height in points; `image`: a picture is on it.

    `garbled`: its fonts do not say which characters they draw; no line of it can be read.
    """

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]
    image: bool = False
    garbled: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """Lines that belong together, and what they are. `rows` holds a table's cells, each with its words."""

    role: Role
    box: Box
    lines: tuple[Line, ...]
    rows: tuple[tuple[tuple[Printed, ...], ...], ...] = ()

    @property
    def text(self) -> str:
        """The lines as printed, one space between them."""
        return " ".join(line.text for line in self.lines)

    @property
    def size(self) -> float:
        """The type size of its first line, in points."""
        return self.lines[0].size if self.lines else 0.0


def hull(boxes: Iterable[Box]) -> Box:
    """The smallest box round boxes of one page; there must be one."""
    every = list(boxes)
    return Box(
        every[0].page,
        min(b.x0 for b in every),
        min(b.y0 for b in every),
        max(b.x1 for b in every),
        max(b.y1 for b in every),
    )


def is_cjk(character: str) -> bool:
    """Whether it is written without spaces: Chinese, Japanese, and their punctuation."""
    return bool(_CJK.match(character))


def has_cjk(text: str) -> bool:
    """Whether any of it is written without spaces."""
    return not text.isascii() and bool(_CJK.search(text))


def clean(word: str) -> str:
    """A word as a reader would type it: no control characters, ligatures apart, accents on their letters."""
    if word.isascii() and word.isprintable():
        return word
    word = "".join(
        _LIGATURES.get(c, c) for c in word if unicodedata.category(c) not in ("Cc", "Co", "Cn", "Cs")
    )
    word = _ACCENTED.sub(lambda m: m[2].replace("ı", "i") + m[1].translate(_ACCENTS), word)
    return unicodedata.normalize("NFC", word).replace("\ufffd", "").strip("\u200b\ufeff\u00a0 ")


def garbled(text: str) -> bool:
    """Whether more than a fifth of a page's characters mean something only to their font."""
    return len(_UNKNOWN.findall(text)) > 0.2 * len(text)


def spell(numbers: Sequence[int]) -> str:
    """Pages by number, in order, runs as ranges: "page 3", "pages 1-4, 7 and 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    spelt = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    listed = " and ".join([", ".join(spelt[:-1]), spelt[-1]] if len(spelt) > 1 else spelt)
    return f"page {listed}" if len(numbers) == 1 else f"pages {listed}"


def straighten(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines top to bottom, with those that stand side by side made one."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.box.y0 + one.box.y1) / 2):
        if rows and _beside(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(_one(sorted(row, key=lambda one: one.box.x0)) for row in rows)


def _beside(row: Sequence[Line], line: Line) -> bool:
    box, other = hull(part.box for part in row), line.box
    shared = min(box.y1, other.y1) - max(box.y0, other.y0)
    apart = all(other.x0 >= part.box.x1 - 1 or other.x1 <= part.box.x0 + 1 for part in row)
    return apart and shared >= 0.5 * min(box.y1 - box.y0, other.y1 - other.y0)


def _one(row: Sequence[Line]) -> Line:
    widest = max(row, key=lambda line: line.box.x1 - line.box.x0)
    return Line(tuple(w for line in row for w in line.words), widest.size, widest.bold, widest.block)
