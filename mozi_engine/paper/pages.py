"""A Paper page by page: what each page prints of it, in reading order, and where boxes and queries fall."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from mozi_engine.paper.page import is_cjk
from mozi_engine.types import Box, Paper, Paragraph, Word

Span = tuple[int, int]  # characters of a paragraph's text: first, and one past the last

REFERENCES = "References"
_HYPHEN = "[-\u2010\u2011\u00ad]?"
_ALIKE = {
    "'": "['’‘]",
    '"': '["“”]',
    "-": "[-\u2010-\u2015\u00ad]?\\s*",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one page prints of a paragraph: `paragraph.text[start:end]`, in these words.

    `number` counts the paper's paragraphs: the pieces of one paragraph share it. `section` is the title of
    the section it stands in, "" before the first.
    """

    paragraph: Paragraph
    number: int
    page: int
    start: int
    end: int
    section: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The paragraph's text on this page."""
        return self.paragraph.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Match:
    """Where a query stands: characters of paragraph `number`, beginning on `page`."""

    page: int
    number: int
    start: int
    end: int


def pages(paper: Paper) -> tuple[tuple[Piece, ...], ...]:
    """The pieces of every page, in reading order; the first tuple is page 1.

    The title opens the first page, unless it stands there as a heading. References follow the body of the
    page they begin on, and precede it on later pages (an appendix).
    """
    body = [*_body(paper)]
    printed = _by_page(body, 0, paper.pages)
    cited = _by_page([*_references(paper)], len(body), paper.pages)
    first = next((at for at, pieces in enumerate(cited) if pieces), paper.pages)
    return tuple(
        tuple([*text, *entries] if at == first else [*entries, *text])
        for at, (text, entries) in enumerate(zip(printed, cited, strict=True))
    )


def _body(paper: Paper) -> Iterator[tuple[str, Paragraph]]:
    headings = {p.text for s in paper.sections for p in s.paragraphs if p.kind == "heading"}
    if paper.title and paper.title not in headings:
        yield "", Paragraph(paper.title, "heading", ())
    for section in paper.sections:
        for paragraph in section.paragraphs:
            yield section.title, paragraph


def _references(paper: Paper) -> Iterator[tuple[str, Paragraph]]:
    """The entries under a heading of their own: the Paper keeps them apart, without the printed one."""
    if paper.references:
        yield REFERENCES, Paragraph(REFERENCES, "heading", ())
    for paragraph in paper.references:
        yield REFERENCES, paragraph


def _by_page(paragraphs: Sequence[tuple[str, Paragraph]], first: int, pages: int) -> list[list[Piece]]:
    """Paragraphs counted from `first`. One without words stands before the next that has some."""
    by_page: list[list[Piece]] = [[] for _ in range(pages)]
    unplaced: list[Piece] = []
    for number, (section, paragraph) in enumerate(paragraphs, first):
        for piece in _pieces(paragraph, number, section):
            if piece.words:
                by_page[piece.page - 1] += [replace(one, page=piece.page) for one in unplaced]
                unplaced.clear()
            (by_page[piece.page - 1] if piece.words else unplaced).append(piece)
    by_page[0] += unplaced
    return by_page


def _pieces(paragraph: Paragraph, number: int, section: str) -> Iterator[Piece]:
    runs = [(page, tuple(words)) for page, words in groupby(paragraph.words, lambda word: word.box.page)]
    if not runs:
        yield Piece(paragraph, number, 1, 0, len(paragraph.text), section, ())
    for at, (page, words) in enumerate(runs):
        start = words[0].start if at else 0
        end = words[-1].end if at < len(runs) - 1 else len(paragraph.text)
        yield Piece(paragraph, number, page, start, end, section, words)


def marked(words: Sequence[Word], boxes: Sequence[Box]) -> tuple[Span, ...]:
    """The characters of the words that have their middle in one of the boxes; neighbours share a span."""
    spans: list[Span] = []
    follows = False
    for word in words:
        inside = any(_holds(box, word.box) for box in boxes)
        if inside and follows:
            spans[-1] = (spans[-1][0], word.end)
        elif inside:
            spans.append((word.start, word.end))
        follows = inside
    return tuple(spans)


def _holds(box: Box, word: Box) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return box.page == word.page and box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1


def find(printed: Sequence[Sequence[Piece]], query: str) -> tuple[Match, ...]:
    """Where the query stands, in the order of the pages; nothing for a blank query.

    Case matters where the query has a capital. White space matches any, hyphens may be there or not (a
    word may be broken at the end of a line), and quotation marks match their typographic forms.
    """
    if not query.strip():
        return ()
    flags = re.NOFLAG if any(c.isupper() for c in query) else re.IGNORECASE
    pattern = re.compile(_pattern(query), flags)
    return tuple(match for page in printed for piece in page for match in _in_piece(pattern, piece))


def _in_piece(pattern: re.Pattern[str], piece: Piece) -> Iterator[Match]:
    for found in pattern.finditer(piece.paragraph.text, piece.start):
        if found.start() >= piece.end:
            return
        yield Match(piece.page, piece.number, *found.span())


def _pattern(query: str) -> str:
    written = unicodedata.normalize("NFC", " ".join(query.split()))
    return "".join(_joint(*pair) for pair in pairwise(written)) + _one(written[-1])


def _joint(c: str, following: str) -> str:
    """One character of the query, and what may stand between it and the next."""
    if c == " ":
        return r"\s*" if is_cjk(following) else r"\s+"
    if is_cjk(c):
        return _one(c) + r"\s*"
    return _one(c) + (_HYPHEN if c.isalnum() and following.isalnum() else "")


def _one(c: str) -> str:
    return _ALIKE.get(c) or re.escape(c)
