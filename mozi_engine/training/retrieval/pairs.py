"""From questions with evidence to what a retriever is trained on: a question, its evidence, what is not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import searched
from mozi_engine.types import Passage


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, one paragraph that is evidence for it, and paragraphs that no annotator chose."""

    question: str
    evidence: str
    negatives: tuple[str, ...]


def pairs(papers: Sequence[QasperPaper], positives: int, negatives: int, seed: int = 0) -> list[Pair]:
    """Up to `positives` pairs a question, in the papers' order, each with exactly `negatives` negatives.

    Negatives are the paper's own paragraphs that BM25 ranks highest, a different choice for each pair of a
    question; where the paper has too few, paragraphs of other papers, drawn by the seed.
    """
    drawn = random.Random(seed)  # noqa: S311  a sample, not a secret
    strangers = [(paper.id, searched(passage)) for paper in papers for passage in _text(paper)]
    return [
        Pair(question.text, evidence, _filled(found, paper.id, strangers, negatives, drawn))
        for paper in papers
        for question in paper.questions
        for evidence, found in _mined(question, _text(paper), positives, negatives)
    ]


def _text(paper: QasperPaper) -> tuple[Passage, ...]:
    return tuple(passage for passage in paper.passages if passage.kind == "text")


def _mined(
    question: Question, passages: Sequence[Passage], positives: int, negatives: int
) -> Iterator[tuple[str, list[str]]]:
    """The question's evidence, and for each piece of it the hardest of the other paragraphs."""
    gold = [passage for passage in passages if passage.text in question.evidence][:positives]
    scores = Bm25(passages).scores(question.text)
    order = sorted(range(len(passages)), key=lambda place: -scores[place])
    others = [searched(passages[i]) for i in order if passages[i].text not in question.evidence]
    for number, passage in enumerate(gold):
        start = number * negatives
        yield searched(passage), others[start : start + negatives] or others[:negatives]


def _filled(
    found: list[str], paper_id: str, strangers: Sequence[tuple[str, str]], wanted: int, drawn: random.Random
) -> tuple[str, ...]:
    far = [text for other, text in strangers if other != paper_id]
    return (*found, *drawn.sample(far, wanted - len(found)))
