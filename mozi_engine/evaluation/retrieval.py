"""How well evidence is found: every question of a QASPER file, by one retriever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.evaluation import metrics
from mozi_engine.evaluation.metrics import Score, score
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Encoder, embed
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.types import Passage, Retriever

RETRIEVERS = ("bm25", "dense", "hybrid")
TOP = (1, 2, 3)
_DEPTH = 20  # passages a question: as far down as anyone looks
_ORACLE = 10

Build = Callable[[str, Sequence[Passage]], Retriever]


@dataclass(frozen=True, slots=True)
class Found:
    """One question's scores, each in [0, 1]; Evidence-F1 is the best over the annotators."""

    question_id: str
    evidence_f1: tuple[float, ...]  # at 1, 2 and 3 paragraphs
    oracle_f1: float  # with the cutoff that suits the question best, from none to ten
    recall: float  # of all annotators' paragraphs, among the first five
    reciprocal_rank: float
    ndcg: float  # at ten
    milliseconds: float


def builder(name: str, encoder: Encoder) -> Build:
    """What makes the retriever of that name (one of RETRIEVERS) for a paper's id and passages."""

    def build(paper_id: str, passages: Sequence[Passage]) -> Retriever:
        words = Bm25(passages)
        if name == "bm25":
            return words
        dense = Dense(passages, embed(paper_id, passages, encoder), encoder)
        return dense if name == "dense" else Hybrid([words, dense])

    return build


def evaluate(papers: Iterable[QasperPaper], build: Build) -> Iterator[Found]:
    """Every question's scores, paper by paper; only body paragraphs are searched, captions are not."""
    for paper in papers:
        retriever = build(paper.id, [passage for passage in paper.passages if passage.kind == "text"])
        for question in paper.questions:
            yield _found(question, retriever)


def _found(question: Question, retriever: Retriever) -> Found:
    began = time.perf_counter()
    ranked = [item.passage.text for item in retriever.search(question.text, _DEPTH)]
    milliseconds = (time.perf_counter() - began) * 1000
    wanted = [reference.evidence for reference in question.references]
    return Found(
        question.id,
        tuple(max(metrics.paragraph_f1(ranked[:k], evidence) for evidence in wanted) for k in TOP),
        max(metrics.oracle_f1(ranked, evidence, _ORACLE) for evidence in wanted),
        metrics.recall_at(ranked, question.evidence, 5),
        metrics.reciprocal_rank(ranked, question.evidence),
        metrics.ndcg(ranked, question.evidence, 10),
        milliseconds,
    )


def summary(found: Sequence[Found], seed: int = 0) -> list[Score]:
    """Means over the questions, with bootstrap intervals."""
    columns = {f"Evidence-F1 at {k}": [item.evidence_f1[i] for item in found] for i, k in enumerate(TOP)}
    columns["Evidence-F1, oracle cutoff"] = [item.oracle_f1 for item in found]
    columns["recall at 5"] = [item.recall for item in found]
    columns["MRR"] = [item.reciprocal_rank for item in found]
    columns["nDCG at 10"] = [item.ndcg for item in found]
    return [score(name, values, seed) for name, values in columns.items()]
