"""How an answer, its citations and its doubts are put into words, whatever they are shown on."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mozi_engine.catalog_file import ModelSpec
from mozi_engine.files import size
from mozi_engine.paper.page import spell
from mozi_engine.reading import BackgroundReading
from mozi_engine.types import Answer, Citation, Evidence, Passage

UNSUPPORTED = "[?]"
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
        _, end = span
        text = f"{text[:end]} {''.join(marks[span])}{text[end:]}"
    return text


def _places(answer: Answer) -> list[tuple[int, int, int]]:
    """Each place that is cited, once, in the order of the answer's sentences."""
    return list(dict.fromkeys(map(_place, answer.citations)))


def _place(citation: Citation) -> tuple[int, int, int]:
    return citation.evidence, citation.start, citation.end


def place(passage: Passage) -> str:
    """Where a passage stands, in a few words: "page 3, 2.1 Node Types (table)"."""
    kind = f" ({passage.kind})" if passage.kind in ("table", "caption", "footnote") else ""
    return f"page {passage.page}" + (f", {passage.section}" if passage.section else "") + kind


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


def plain(answer: Answer) -> str:
    """The answer and what it cites as text without colours, for a pipe."""
    if answer.verdict == "not_in_paper":
        lines = [NOT_IN_PAPER]
        if answer.evidence:
            nearest = answer.evidence[0].passage
            lines += ["", f"Nearest: {place(nearest)}", _indented(nearest.text)]
        return "\n".join(lines)
    lines = [marked(answer)]
    for quote in quotes(answer):
        lines += ["", f"[{quote.number}] {place(quote.passage)}", _indented(f'"{quote.text}"')]
    return "\n".join(lines + [""] * bool(doubts(answer)) + doubts(answer))


def ranking(evidence: Sequence[Evidence]) -> str:
    """Passages whole, best first, as text."""
    return "\n\n".join(
        f"[{item.rank}] {place(item.passage)}\n{_indented(item.passage.text)}" for item in evidence
    )


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


def snippet(text: str, width: int) -> str:
    """One line of the text's beginning, at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def around(quote: Quote, width: int) -> tuple[str, str, str]:
    """The quotation with up to `width` characters of its passage before and after, for context."""
    text = quote.passage.text
    before, after = text[max(0, quote.start - width) : quote.start], text[quote.end : quote.end + width]
    if quote.start > width:
        before = "…" + before.partition(" ")[2]
    if quote.end + width < len(text):
        after = after.rpartition(" ")[0] + "…"
    return before, quote.text, after


def summary(seconds: Sequence[float], model: str) -> str:
    """How long it took: seconds to the first word, and in all."""
    first, total = seconds
    return f"{total:.1f} s, first word after {first:.1f} s, {model}"


def not_read(scanned: Sequence[int]) -> str:
    """Which pages are pictures, and what would read them."""
    return f"not read: {spell(scanned)} (scans without text); pip install 'rapidocr>=3.9' lets mozi read them"


def fetching(spec: ModelSpec) -> str:
    """What is about to be downloaded, once."""
    told = ", ".join(filter(None, (size(spec.bytes) if spec.bytes else "", spec.licence)))
    return f"fetching {spec.title} once" + (f" ({told})" if told else "")


def left_out(titles: Sequence[str]) -> str:
    """What of a long paper the model does not read."""
    return f"longer than the context; known from passages only: {', '.join(titles)}"


def read_so_far(background: BackgroundReading, pages: int) -> str:
    """How far the model is, while answers still come from passages."""
    if background.failure:
        return f"answered from passages; the model stopped reading: {background.failure.message}"
    page = background.reading.beginning.page(background.reading.reached)
    return f"answered from passages; the model is reading page {page} of {pages}"


def remembered(title: str) -> str:
    """That a paper need not be read again."""
    return f"read and remembered: {title}"
