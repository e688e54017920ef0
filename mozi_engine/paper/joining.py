"""From printed lines to running text in which every word keeps its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from mozi_engine.paper.page import Line, Printed, is_cjk
from mozi_engine.types import Kind, Paragraph, Word

_HYPHENS = ("-", "\u2010", "\u00ad")
# First parts that are no words: one hyphen elsewhere says nothing about the next ("inter-document").
_BOUND = frozenset(
    "auto counter hyper inter macro meta micro multi over para post semi super trans under".split()
)
# A dash between words, or an address, goes on at the start of the next line.
_INSIDE = re.compile(r"\w[–—]$|(?:https?:|www\.)(?:\S*[/.:_=?&#])?$")
_LETTERS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
# First parts that keep their hyphen in technical English even where the compound occurs only once.
_COMPOUNDING = frozenset("self cross well state long short large small high low end".split())


def vocabulary(lines: Iterable[Line]) -> frozenset[str]:
    """The words of a document in lower case, those cut at the end of a line left out.

    A compound stands in it whole and by its first part: "cross-document" and "cross-".
    """
    known: set[str] = set()
    cut = False
    for line in lines:
        for word in line.words:
            hyphen, found = word.text.endswith(_HYPHENS), _LETTERS.findall(word.text.casefold())
            known.update(() if cut or hyphen else found)
            known.update(part[: part.index("-") + 1] for part in found if "-" in part)
            cut = hyphen
    return frozenset(known)


def paragraph(kind: Kind, lines: Sequence[Line], known: Collection[str]) -> Paragraph:
    """The lines as one running text. `known` are the document's words: they tell hyphens from hyphenation."""
    writer = Writer(known)
    for line in lines:
        writer.line(line.words)
    return writer.done(kind)


def table(rows: Sequence[Sequence[Sequence[Printed]]], known: Collection[str]) -> Paragraph:
    """One line of text a row, its cells apart by " | "."""
    writer = Writer(known)
    for number, row in enumerate(rows):
        writer.glue("\n" if number else "")
        for position, cell in enumerate(row):
            writer.glue(" | " if position else "")
            writer.line(cell, fresh=True)
    return writer.done("table")


class Writer:
    """Appends words to a text and remembers where each came to stand."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self._known = known
        self._text = ""
        self._words: list[Word] = []

    def glue(self, text: str) -> None:
        """Append text that is printed nowhere."""
        self._text += text

    def line(self, words: Sequence[Printed], *, fresh: bool = False) -> None:
        """Append a printed line; unless `fresh`, the line before runs on into it."""
        for position, word in enumerate(words):
            if position:
                self._text += "" if word.glued else " "
            elif not fresh:
                self._run_on(word.text)
            start = len(self._text)
            self._text += word.text
            self._words.append(Word(start, len(self._text), word.box))

    def paragraph(self, other: Paragraph) -> None:
        """Append a paragraph that goes on where this text stopped."""
        if other.words:
            self._run_on(other.text)
        offset = len(self._text)
        self._text += other.text
        self._words += [Word(w.start + offset, w.end + offset, w.box) for w in other.words]

    def done(self, kind: Kind) -> Paragraph:
        """What was written."""
        return Paragraph(self._text, kind, tuple(self._words))

    def _run_on(self, following: str) -> None:
        if not self._text or self._text[-1].isspace():
            return
        if self._text.endswith(_HYPHENS) and self._words and len(self._text) > 1 and self._text[-2].isalnum():
            self._after_hyphen(following)
        elif not (_INSIDE.search(self._text) or is_cjk(self._text[-1]) or is_cjk(following[:1])):
            self._text += " "

    def _after_hyphen(self, following: str) -> None:
        before = self._text[self._words[-1].start : -1]
        if self._text[-1] == "\u00ad" or hyphenated(before, following, self._known):
            self._text = self._text[:-1]
            last = self._words[-1]
            self._words[-1] = Word(last.start, last.end - 1, last.box)


def hyphenated(before: str, after: str, known: Collection[str]) -> bool:
    """Whether the hyphen between two lines only breaks a word, as opposed to joining two.

    The document decides where it can: a form that it prints elsewhere is the right one. Two words
    that it knows apart but never together keep their hyphen.
    """
    left = _LETTERS.findall(before.casefold())
    right = _LETTERS.match(after.casefold())
    if not left or not right or not before[-1].isalpha() or "://" in before:
        return False
    first, second = left[-1], right[0].partition("-")[0]
    if first + second in known:
        return True
    if f"{first}-{second}" in known or "-" in first or first in _COMPOUNDING or len(first) == 1:
        return False
    if not after[0].islower() or (f"{first}-" in known and len(first) > 3 and first not in _BOUND):
        return False
    return not (len(first) > 3 and len(second) > 3 and first in known and second in known)
