"""From questions with evidence to what a retriever is trained on: a question, its evidence, what is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import searched
from mozi_engine.types import Passage

# Given passages, what scores them for a question: the higher, the nearer.
Ranker = Callable[[Sequence[Passage]], Callable[[str], NDArray[np.floating]]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question about a paper, a paragraph that is evidence for it, and some that no annotator chose."""

    paper: str
    question: str
    evidence: str
    negatives: tuple[str, ...]


def by_words(passages: Sequence[Passage]) -> Callable[[str], NDArray[np.floating]]:
    """The ranker that is BM25."""
    return Bm25(passages).scores


def pairs(
    papers: Sequence[QasperPaper],
    positives: int,
    negatives: int,
    seed: int = 0,
    rankers: Sequence[Ranker] = (by_words,),
) -> list[Pair]:
    """Up to `positives` pairs a question, in the papers' order, each with exactly `negatives` negatives.

    Negatives are the paper's own paragraphs that the rankers put highest, taken from one ranking after the
    other, a different choice for each pair of a question; where the paper has too few, paragraphs of other
    papers, drawn by the seed. Which ranking begins changes from question to question.
    """
    drawn = random.Random(seed)  # noqa: S311  a sample, not a secret
    strangers = [(paper.id, searched(passage)) for paper in papers for passage in _text(paper)]
    return [
        Pair(paper.id, question.text, evidence, _filled(found, paper.id, strangers, negatives, drawn))
        for paper in papers
        if any(question.evidence for question in paper.questions)
        for ranked in [_ranked(_text(paper), rankers)]
        for turn, question in enumerate(paper.questions)
        for evidence, found in _mined(question, ranked(question.text, turn), positives, negatives)
    ]


def _text(paper: QasperPaper) -> tuple[Passage, ...]:
    return tuple(passage for passage in paper.passages if passage.kind == "text")


def _ranked(passages: Sequence[Passage], rankers: Sequence[Ranker]) -> Callable[[str, int], list[Passage]]:
    """What puts the passages in order for a question: the best by each ranker in turn."""
    scorers = [ranker(passages) for ranker in rankers]

    def order(question: str, turn: int) -> list[Passage]:
        first = turn % len(scorers)
        orders = [
            np.argsort(-scores(question), kind="stable") for scores in scorers[first:] + scorers[:first]
        ]
        return [passages[place] for place in dict.fromkeys(chain.from_iterable(zip(*orders, strict=True)))]

    return order


def _mined(
    question: Question, ranked: Sequence[Passage], positives: int, negatives: int
) -> Iterator[tuple[str, list[str]]]:
    """The question's evidence, and for each piece of it the hardest of the other paragraphs."""
    gold = sorted((p for p in ranked if p.text in question.evidence), key=lambda p: p.index)[:positives]
    others = [searched(passage) for passage in ranked if passage.text not in question.evidence]
    for number, passage in enumerate(gold):
        start = number * negatives
        yield searched(passage), others[start : start + negatives] or others[:negatives]


def _filled(
    found: list[str], paper_id: str, strangers: Sequence[tuple[str, str]], wanted: int, drawn: random.Random
) -> tuple[str, ...]:
    far = [text for other, text in strangers if other != paper_id]
    return (*found, *drawn.sample(far, wanted - len(found)))
