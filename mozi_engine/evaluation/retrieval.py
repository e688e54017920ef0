"""How well evidence is found: every question of a QASPER file, by several retrievers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.errors import DataError
from mozi_engine.evaluation import metrics
from mozi_engine.evaluation.bootstrap import mean
from mozi_engine.evaluation.report import Table
from mozi_engine.retrieval import select
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Embedder, Encoder, Vectors, embed
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.types import Evidence, Passage, Progress, Retriever

RETRIEVERS = ("bm25", "dense", "hybrid")
TOP = (1, 2, 3)
RECALL = (1, 5, 10)
_DEPTH = 20  # passages a question: as far down as anyone looks
_ORACLE = 10
_NDCG = 10
_TIMED = 50  # questions that are searched with nothing cached, for the time it takes

Build = Callable[[str, Sequence[Passage]], Retriever]
# A question, its ranking -> how many to believe; None where that is not known.
Cutoff = Callable[[str, Sequence[Evidence]], int | None]


@dataclass(frozen=True, slots=True)
class Found:
    """One question's scores, each in [0, 1]; Evidence-F1 is the best over the annotators.

    `recall`, `reciprocal_rank` and `ndcg` are of all annotators' paragraphs, None where there are none.
    """

    question_id: str
    evidence_f1: tuple[float, ...]  # at 1, 2 and 3 paragraphs
    oracle_f1: float  # with the cutoff that suits the question best, from none to ten
    learned_f1: float | None  # with the cutoff that was learned, where there is one
    recall: tuple[float, ...] | None  # among the first 1, 5 and 10
    reciprocal_rank: float | None
    ndcg: float | None  # at ten


@dataclass(frozen=True, slots=True)
class _Asked:
    """Stands for an encoder: it has the vectors of all questions that will be asked."""

    vectors: Mapping[str, Vectors]

    def encode(self, texts: Sequence[str], /) -> Vectors:
        """One unit vector a question, shape (n, width)."""
        return np.array([self.vectors[text] for text in texts], np.float32)


def believed(question: str, evidence: Sequence[Evidence]) -> int | None:  # noqa: ARG001  Cutoff's
    """How many mozi believes, by the chances that the search gives; None where it gives none."""
    known = bool(evidence) and all(item.chance is not None for item in evidence)
    return len(select.believed(evidence)) if known else None


def encoder_of(name: str, threads: int = 0) -> Encoder:
    """The encoder that a retriever needs: the one in the folder that it names, or else mozi's own.

    Raises DataError for a name that is neither a retriever's nor such a folder's.
    """
    if name in RETRIEVERS:
        return Encoder(threads)
    folder = Path(name)
    if not all((folder / file).is_file() for file in ("model.onnx", "tokenizer.json")):
        hint = f"{', '.join(RETRIEVERS)}, or a folder with an encoder's model.onnx"
        raise DataError(f"no retriever named {name}", hint=hint)
    return Encoder(threads, folder)


def builder(name: str, encoder: Encoder, asking: Embedder | None = None) -> Build:
    """What makes the retriever of that name for a paper's id and passages; a folder's is dense.

    `encoder` is `encoder_of` the name; `asking` encodes the questions in place of `encoder.asking`.
    """

    def build(paper_id: str, passages: Sequence[Passage]) -> Retriever:
        if name == "bm25":
            return _words(tuple(passages))
        dense = Dense(passages, embed(paper_id, passages, encoder), asking or encoder.asking)
        return Hybrid(passages, _words(tuple(passages)), dense) if name == "hybrid" else dense

    return build


# One paper's index of words serves bm25 and hybrid both.
_words = lru_cache(maxsize=1)(Bm25)


def evaluate(
    papers: Sequence[QasperPaper], encoders: Mapping[str, Encoder], cutoff: Cutoff = believed
) -> Iterator[Progress | tuple[str, Found]]:
    """Every question's scores by every retriever, paper by paper, after Progress for each paper.

    `encoders` has the encoder of each retriever's name. Only body paragraphs are searched, captions are not.
    Vectors of passages and questions are kept in the cache, by their text: a second run embeds nothing.
    """
    for number, paper in enumerate(papers, start=1):
        yield Progress("searching", number, len(papers), "papers")
        for name, encoder in encoders.items():
            asking = None if name == "bm25" else _asking(paper, encoder)
            retriever = builder(name, encoder, asking)(paper.id, _body(paper))
            for question in paper.questions:
                yield name, _found(question, retriever, cutoff)


def _body(paper: QasperPaper) -> list[Passage]:
    return [passage for passage in paper.passages if passage.kind == "text"]


def _asking(paper: QasperPaper, encoder: Encoder) -> _Asked:
    asked = [Passage(i, "", question.text, "text", ()) for i, question in enumerate(paper.questions)]
    vectors = embed(paper.id, asked, encoder.asking)
    return _Asked({passage.text: vector for passage, vector in zip(asked, vectors, strict=True)})


def _found(question: Question, retriever: Retriever, cutoff: Cutoff) -> Found:
    evidence = retriever.search(question.text, _DEPTH)
    ranked = [item.passage.text for item in evidence]
    wanted = [reference.evidence for reference in question.references]
    relevant = question.evidence
    size = cutoff(question.text, evidence)

    def best(count: int) -> float:
        return max(metrics.paragraph_f1(ranked[:count], evidence) for evidence in wanted)

    return Found(
        question.id,
        tuple(best(k) for k in TOP),
        max(metrics.oracle_f1(ranked, evidence, _ORACLE) for evidence in wanted),
        None if size is None else best(size),
        tuple(metrics.recall_at(ranked, relevant, k) for k in RECALL) if relevant else None,
        metrics.reciprocal_rank(ranked, relevant) if relevant else None,
        metrics.ndcg(ranked, relevant, _NDCG) if relevant else None,
    )


def milliseconds(papers: Sequence[QasperPaper], name: str, encoder: Encoder) -> float:
    """The median time of a search over the first questions, encoding the question included; 0 of none."""
    took: list[float] = []
    for paper in papers:
        retriever = builder(name, encoder)(paper.id, _body(paper))
        for question in paper.questions:
            began = time.perf_counter()
            retriever.search(question.text, _DEPTH)
            took.append((time.perf_counter() - began) * 1000)
        if len(took) >= _TIMED:
            break
    return statistics.median(took[:_TIMED] or [0.0])


def table(name: str, found: Sequence[Found], clusters: Mapping[str, str], took: float | None = None) -> Table:
    """Means over the questions, with intervals over papers; `took` is in milliseconds a question.

    Recall, MRR and nDCG are of the questions that have evidence in the text.
    """
    known = [item for item in found if item.recall is not None]
    columns: dict[str, dict[str, float]] = {}
    for place, k in enumerate(TOP):
        columns[f"Evidence-F1 at {k}"] = {item.question_id: item.evidence_f1[place] for item in found}
    columns["Evidence-F1, oracle cutoff"] = {item.question_id: item.oracle_f1 for item in found}
    columns["Evidence-F1, learned cutoff"] = {
        item.question_id: item.learned_f1 for item in found if item.learned_f1 is not None
    }
    for place, k in enumerate(RECALL):
        columns[f"recall at {k}"] = {item.question_id: item.recall[place] for item in known if item.recall}
    columns["MRR"] = {item.question_id: item.reciprocal_rank or 0.0 for item in known}
    columns[f"nDCG at {_NDCG}"] = {item.question_id: item.ndcg or 0.0 for item in known}
    measures = tuple(mean(column, values) for column, values in columns.items() if values)
    notes = () if took is None else (f"{took:.1f} ms a question (median)",)
    return Table(name, measures, clusters, notes=notes)


def found(papers: Sequence[QasperPaper], build: Build, cutoff: Cutoff = believed) -> list[Found]:
    """Every question's scores by one retriever of any make; nothing is cached."""
    return [
        _found(question, retriever, cutoff)
        for paper in papers
        for retriever in [build(paper.id, _body(paper))]
        for question in paper.questions
    ]
