"""A dataset's paper in mozi's passages, and which of them the annotators' evidence lies in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from mozi_engine.datasets.qasper import QasperPaper, Reference
from mozi_engine.paper import passages
from mozi_engine.types import Box, Paper, Paragraph, Passage, Section, Word

_LONGEST = 160  # words of a passage
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Cut:
    """A paper's passages as mozi cuts them, and the passages that each printed paragraph went into."""

    passages: tuple[Passage, ...]
    places: Mapping[str, tuple[int, ...]]

    def of(self, reference: Reference) -> tuple[int, ...]:
        """The passages that an answer rests on, by index; a caption counts as a paragraph."""
        texts = (*reference.evidence, *reference.captions)
        return tuple(sorted({index for text in texts for index in self.places.get(_key(text), ())}))

    def missing(self, reference: Reference) -> list[str]:
        """The evidence that is no paragraph of the paper: a heading, or a text that was edited."""
        return [text for text in (*reference.evidence, *reference.captions) if _key(text) not in self.places]


def cut(paper: QasperPaper) -> Cut:
    """The paper in the passages that mozi would search, without places on pages."""
    found = passages.split(_numbered(paper), _LONGEST)
    places: dict[str, set[int]] = {}
    for passage in found:
        for number in {word.box.page for word in passage.words}:
            places.setdefault(_key(paper.passages[number].text), set()).add(passage.index)
    made = {text: tuple(sorted(indices)) for text, indices in places.items()}
    return Cut(tuple(replace(passage, words=()) for passage in found), made)


def _numbered(paper: QasperPaper) -> Paper:
    """The paper as `passages.split` takes it; what should be a word's page is its paragraph's number."""
    sections = [
        Section(title, 1, tuple(Paragraph(p.text, p.kind, _words(p.index, p.text)) for p in inside))
        for title, inside in groupby(paper.passages, key=lambda passage: passage.section)
    ]
    return Paper(paper.id, paper.title, tuple(sections), (), 1)


def _words(number: int, text: str) -> tuple[Word, ...]:
    """The paragraph's words. One that is not cut needs only their count, which is found much sooner."""
    box = Box(number, 0.0, 0.0, 0.0, 0.0)
    if (count := len(text.split())) <= _LONGEST:
        return (Word(0, len(text), box),) * count
    return tuple(Word(word.start(), word.end(), box) for word in _WORD.finditer(text))


def _key(text: str) -> str:
    return " ".join(text.split())
