"""Paper -> passages: the paragraphs, long ones cut at sentences, short ones put together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

from mozi_engine.paper.page import is_cjk
from mozi_engine.sentences import sentences
from mozi_engine.types import ABSTRACTS, Kind, Paper, Paragraph, Passage, Section, Word

_FLOWING = ("text", "list", "equation")
_SHORT = 12  # words below which a paragraph says little alone
_ITEM = 30  # words below which a list item stays with its neighbours
_OPENING = 300  # words of an abstract that every prompt repeats at the most
_NAMES: tuple[Kind, ...] = ("table", "text", "list", "caption", "footnote", "equation")


def split(paper: Paper, max_words: int = 160) -> tuple[Passage, ...]:
    """The passages in reading order, indexed from 0. Headings and references are none.

    A list stays with the sentence that announces it, an equation with the text around it, a table
    with its caption, as far as `max_words` allows. Two Chinese or Japanese characters count as a word.
    """
    pieces = (
        (section.title, piece)
        for section in paper.sections
        for group in _groups(section, max_words)
        for piece in _cut(_joined(group), max_words)
    )
    return tuple(
        Passage(index, title, piece.text, piece.kind, piece.words)
        for index, (title, piece) in enumerate(pieces)
    )


def opening(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The abstract, a long one as far as it is no burden to every prompt; () where there is none."""
    abstract = [p for p in passages if p.section.casefold() in ABSTRACTS and p.kind in _FLOWING]
    sizes = accumulate(_size(passage.words) for passage in abstract)
    return tuple(p for p, size in zip(abstract, sizes, strict=True) if size <= _OPENING)


def _groups(section: Section, max_words: int) -> list[list[Paragraph]]:
    groups: list[list[Paragraph]] = []
    for paragraph in section.paragraphs:
        if paragraph.kind == "heading" or not paragraph.words:
            continue
        if groups and _belongs(groups[-1], paragraph, max_words):
            groups[-1].append(paragraph)
        else:
            groups.append([paragraph])
    return groups


def _belongs(group: Sequence[Paragraph], new: Paragraph, max_words: int) -> bool:
    last, size = group[-1], sum(_size(paragraph.words) for paragraph in group)
    if {last.kind, new.kind} == {"caption", "table"}:
        return len(group) == 1
    if size + _size(new.words) > max_words:
        return False
    if last.kind == new.kind == "footnote":
        return True
    if last.kind not in _FLOWING or new.kind not in _FLOWING:
        return False
    if "equation" in (last.kind, new.kind):
        return True
    if new.kind == "list":
        return _size(new.words) < _ITEM or last.text.endswith((":", "："))
    return min(size, _size(new.words)) < _SHORT


def _size(words: Sequence[Word]) -> int:
    narrow = sum(1 for word in words if word.end - word.start == 1)
    return len(words) if narrow < len(words) / 2 else len(words) - narrow // 2


def _joined(group: Sequence[Paragraph]) -> Paragraph:
    if len(group) == 1:
        return group[0]
    text, words = "", []
    for paragraph in group:
        offset = len(text) + 1 if text else 0
        text = f"{text}\n{paragraph.text}" if text else paragraph.text
        words += [Word(w.start + offset, w.end + offset, w.box) for w in paragraph.words]
    kinds = {paragraph.kind for paragraph in group}
    return Paragraph(text, next(kind for kind in _NAMES if kind in kinds), tuple(words))


def _cut(paragraph: Paragraph, max_words: int) -> Iterator[Paragraph]:
    """Pieces of about the same size, none above `max_words`, cut between sentences where there are any."""
    total = _size(paragraph.words)
    if total <= max_words:
        yield paragraph
        return
    target = total / math.ceil(total / max_words)
    piece: list[Word] = []
    for unit in _units(paragraph, max_words):
        if piece and (_size(piece) >= target or _size([*piece, *unit]) > max_words):
            yield _piece(paragraph, piece)
            piece = []
        piece += unit
    yield _piece(paragraph, piece)


def _units(paragraph: Paragraph, max_words: int) -> Iterator[list[Word]]:
    """What must not be cut: sentences; of one that is too long alone, runs of words."""
    position = 0
    for _, end in sentences(paragraph.text):
        unit: list[Word] = []
        while position < len(paragraph.words) and paragraph.words[position].start < end:
            word = paragraph.words[position]
            if unit and _size(unit) >= max_words and _cuttable(paragraph.text, word.start):
                yield unit
                unit = []
            unit.append(word)
            position += 1
        if unit:
            yield unit


def _cuttable(text: str, at: int) -> bool:
    return text[at - 1].isspace() or is_cjk(text[at - 1])


def _piece(paragraph: Paragraph, words: Sequence[Word]) -> Paragraph:
    start, end = words[0].start, words[-1].end
    moved = tuple(Word(w.start - start, w.end - start, w.box) for w in words)
    return Paragraph(paragraph.text[start:end], paragraph.kind, moved)
