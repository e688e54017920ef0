"""Which words of the paper say what an answer says: computed from both texts, not asked of the model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mozi_engine.prompts import language
from mozi_engine.retrieval.bm25 import terms
from mozi_engine.sentences import sentences
from mozi_engine.types import Citation, Evidence

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

SUPPORTED = 0.35  # a sentence of the answer below this is left uncited (see docs/results/citations.md)
_SECOND_SOURCE = 0.3  # a second quote must hold this share of the sentence's content that the first lacks
_FEW_TERMS = 3  # an answer this short means something only together with its question
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_STOP = frozenset(
    """
    a about also an and any are as at author be been being but by can could did do does each for from had has
    have how if in into is it its may more most no not of on or our paper question so such than that the their
    them then there these they this those to use used using was we were what when where which while who whom
    whose why will with would yes you
    """.split()
)


@dataclass(frozen=True, slots=True)
class Alignment:
    """What of an answer the evidence supports. Ranges are of characters of the answer.

    `support` is that of the best supported sentence, cited or not.
    """

    citations: tuple[Citation, ...]
    uncited: tuple[tuple[int, int], ...]
    unverified: tuple[tuple[int, int], ...]
    support: float


@dataclass(frozen=True, slots=True)
class _Window:
    """A sentence of the evidence (a row, in a table), and its content terms."""

    evidence: int
    start: int
    end: int
    text: str
    terms: frozenset[str]


def cite(answer: str, question: str, evidence: Sequence[Evidence], encode: Encode | None = None) -> Alignment:
    """Align each sentence of the answer with the sentences of the evidence that say the same.

    `question` is in the paper's language, whatever the answer's.
    Support is the mean of two views of the same thing: the share of the sentence's content terms, by
    inverse document frequency, that the evidence holds; and the cosine of the two texts' embeddings
    (without `encode`, the first alone). Of equals, the one nearer to the question wins.
    """
    windows = _windows(evidence)
    ranges = sentences(answer)
    if not windows:
        return Alignment((), tuple(ranges), _unverified(answer, ()), 0.0)
    claims = [_Claim.of(answer[start:end], question) for start, end in ranges]
    cosines = _cosines(claims, windows, encode)
    weight, topic = _weights(windows), _content(question)
    citations: list[Citation] = []
    best = 0.0
    for number, claim in enumerate(claims):
        found, support = _sources(claim, topic, windows, weight, None if cosines is None else cosines[number])
        best = max(best, support)
        if support >= SUPPORTED:
            citations += [Citation(ranges[number], w.evidence, w.start, w.end, support) for w in found]
    cited = {citation.sentence for citation in citations}
    quoted = [evidence[citation.evidence].passage.text for citation in citations]
    uncited = tuple(span for span in ranges if span not in cited)
    return Alignment(tuple(citations), uncited, _unverified(answer, quoted), best)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a sentence of the answer says, as terms and as a text to encode."""

    terms: frozenset[str]
    text: str

    @classmethod
    def of(cls, sentence: str, question: str) -> _Claim:
        content = _content(sentence)
        if language(sentence) != language(question):  # names and numbers are all that crosses languages
            content = frozenset(term for term in content if term.isascii()) | _content(question)
            return cls(content, question)
        if not content:  # "Yes.": the question is what is claimed
            return cls(_content(question), question)
        return cls(content, f"{question} {sentence}" if len(content) <= _FEW_TERMS else sentence)


def _content(text: str) -> frozenset[str]:
    return frozenset(terms(text)) - _STOP


def _windows(evidence: Sequence[Evidence]) -> list[_Window]:
    found = []
    for position, item in enumerate(evidence):
        text = item.passage.text
        spans = _rows(text) if item.passage.kind == "table" else sentences(text)
        found += [
            _Window(position, start, end, text[start:end], _content(text[start:end])) for start, end in spans
        ]
    return found


def _rows(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S[^\n]*(?<!\s)", text)]


def _cosines(
    claims: Sequence[_Claim], windows: Sequence[_Window], encode: Encode | None
) -> NDArray[np.float32] | None:
    """(claims, windows), or None without an encoder."""
    if encode is None or not claims:
        return None
    vectors = encode([*(claim.text for claim in claims), *(window.text for window in windows)])
    cosines: NDArray[np.float32] = vectors[: len(claims)] @ vectors[len(claims) :].T
    return cosines


def _sources(
    claim: _Claim,
    topic: frozenset[str],
    windows: Sequence[_Window],
    weight: Callable[[str], float],
    cosines: NDArray[np.float32] | None,
) -> tuple[list[_Window], float]:
    """The one or two windows that hold most of the claim, and their joint support in [0, 1]."""

    def support(held: frozenset[str], best: int) -> float:
        lexical = _share(claim.terms, held, weight)
        return lexical if cosines is None else min(1.0, (lexical + max(0.0, float(cosines[best]))) / 2)

    def nearness(i: int) -> float:
        return support(windows[i].terms, i) + 0.2 * _share(topic, windows[i].terms, weight)

    best = max(range(len(windows)), key=nearness)
    chosen, held = [best], windows[best].terms
    gains = [_share(claim.terms, held | window.terms, weight) for window in windows]
    second = max(range(len(windows)), key=gains.__getitem__)
    if gains[second] - _share(claim.terms, held, weight) >= _SECOND_SOURCE:
        chosen, held = [best, second], held | windows[second].terms
    return [windows[i] for i in chosen], support(held, best)


def _weights(windows: Sequence[_Window]) -> Callable[[str], float]:
    """Inverse document frequency over the windows; a term that none holds weighs the most."""
    counts = Counter(term for window in windows for term in window.terms)
    return lambda term: math.log1p(len(windows) / (counts[term] + 0.5))


def _share(wanted: frozenset[str], held: frozenset[str], weight: Callable[[str], float]) -> float:
    total = sum(map(weight, wanted))
    return sum(map(weight, wanted & held)) / total if total else 0.0


def _unverified(answer: str, quoted: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The numbers of the answer that stand in none of the passages it cites."""
    known = {_plain(match[0]) for text in quoted for match in _NUMBER.finditer(text)}
    return tuple(match.span() for match in _NUMBER.finditer(answer) if _plain(match[0]) not in known)


def _plain(number: str) -> str:
    return number.replace(",", "")
