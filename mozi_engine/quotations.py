"""What an answer quotes, numbered, and the marks that lead there: the same on a screen and in an export."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mozi_engine.types import Answer, Citation, Passage

UNSUPPORTED = "[?]"
_TABLE_LINE = re.compile(r"\|?[\s:|-]*-[\s:|-]*\|?")
NOT_IN_PAPER = "Not in the paper."


@dataclass(frozen=True, slots=True)
class Quote:
    """The words of the paper behind a citation mark. Numbers count from 1."""

    number: int
    passage: Passage
    start: int
    end: int

    @property
    def text(self) -> str:
        """The quotation, to the letter."""
        return self.passage.text[self.start : self.end]

    @property
    def page(self) -> int:
        """The page that the quotation begins on, from 1."""
        boxes = self.passage.boxes(self.start, self.end)
        return boxes[0].page if boxes else self.passage.page


def quotes(answer: Answer) -> tuple[Quote, ...]:
    """What the answer cites, in the order of its sentences, each place once."""
    places = _places(answer)
    return tuple(
        Quote(number, answer.evidence[evidence].passage, start, end)
        for number, (evidence, start, end) in enumerate(places, start=1)
    )


def mark(number: int) -> str:
    """A citation's mark: [1]."""
    return f"[{number}]"


def marked(answer: Answer, mark: Callable[[int], str] = mark) -> str:
    """The answer with [1] after each supported sentence, and [?] after each that nothing supports."""
    places = _places(answer)
    marks: dict[tuple[int, int], list[str]] = {span: [UNSUPPORTED] for span in answer.uncited}
    for citation in answer.citations:
        marks.setdefault(citation.sentence, []).append(mark(places.index(_place(citation)) + 1))
    text = answer.text
    for span in sorted(marks, reverse=True):
        end = _place_for_marks(text, *span)
        if end is not None:
            text = f"{text[:end].rstrip()} {''.join(marks[span])}{text[end:]}"
    return text


def _place_for_marks(text: str, start: int, end: int) -> int | None:
    """Where a sentence's marks go: into a table row's last cell; nowhere in the line below its head."""
    sentence = text[start:end]
    if _TABLE_LINE.fullmatch(sentence):
        return None
    return end - 1 if sentence.startswith("|") and sentence.endswith("|") else end


def doubts(answer: Answer) -> list[str]:
    """What a careful reader should know about the answer, a line each; none when all is well."""
    if answer.verdict == "not_in_paper":
        return []
    lines = []
    if answer.uncited:
        lines.append(f"{UNSUPPORTED} nothing in the evidence says this")
    if answer.unverified:
        numbers = ", ".join(answer.text[start:end] for start, end in answer.unverified)
        lines.append(f"not in the cited passages: {numbers}")
    return lines


def _places(answer: Answer) -> list[tuple[int, int, int]]:
    """Each place that is cited, once, in the order of the answer's sentences."""
    return list(dict.fromkeys(map(_place, answer.citations)))


def _place(citation: Citation) -> tuple[int, int, int]:
    return citation.evidence, citation.start, citation.end
