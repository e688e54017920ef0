"""Answers to QASPER's questions, written as they come.

A run has a folder: `predictions.jsonl` in the official form, a line a question, from which all scores are
made; `timings.jsonl` beside it; `run.json`, which says what was run. Stopped, it goes on where it was, to the
same predictions byte for byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mozi_engine.answering import Answerer, Done
from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, as_paper
from mozi_engine.errors import DataError
from mozi_engine.evaluation import runs
from mozi_engine.evaluation.official import Prediction
from mozi_engine.evaluation.retrieval import Build
from mozi_engine.reading import RESERVED, Reading, beginning, estimated_tokens
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import Answer, Evidence, GenerationSettings, Generator, Passage, Remembering

EVIDENCE = ("retrieved", "full", "gold")
_REMOTE_CONTEXT = 16384  # tokens that a server is taken to have
_STATES = 10**10  # bytes of states: an evaluation may read hundreds of papers, and read them again
_MOST_EVIDENCE = 3  # paragraphs predicted a question: more cost more precision than they bring recall


@dataclass(frozen=True, slots=True)
class Timing:
    """What one answer cost: milliseconds since it was asked, and tokens."""

    question_id: str
    ttft_ms: float
    total_ms: float
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Gold:
    """A retriever that returns the annotators' own evidence, in the paper's order."""

    passages: Sequence[Passage]
    wanted: frozenset[str]

    def search(self, query: str, k: int) -> list[Evidence]:  # noqa: ARG002  the protocol's
        """The first `k` paragraphs of the evidence, whatever the query."""
        found = [passage for passage in self.passages if passage.text in self.wanted][:k]
        return [Evidence(passage, 1.0, rank) for rank, passage in enumerate(found, start=1)]


class Asking:
    """Makes the answerer of each question; a paper is indexed, or read, once for all of its questions.

    `evidence` is "retrieved" (from `k` passages), "gold" (the annotators' own) or "full" (the whole paper).
    """

    def __init__(
        self,
        generator: Generator,
        build: Build,
        encoder: Encoder,
        evidence: str,
        k: int,
        settings: GenerationSettings,
    ) -> None:
        self._generator, self._build, self._encoder = generator, build, encoder
        self._evidence, self._k, self._settings = evidence, k, settings
        self._paper_id = ""
        self._answerer: Answerer | None = None

    def __call__(self, paper: QasperPaper, question: Question) -> Answerer:
        """The answerer for one question."""
        if self._answerer is None or self._paper_id != paper.id:
            self._paper_id, self._answerer = paper.id, self._open(paper)
        if self._evidence == "gold":
            return replace(self._answerer, retriever=Gold(paper.passages, question.evidence))
        return self._answerer

    def _open(self, paper: QasperPaper) -> Answerer:
        retriever = self._build(paper.id, paper.passages)
        read = as_paper(paper)
        answerer = Answerer(
            read,
            retriever,
            self._generator,
            self._encoder.encode,
            self._k,
            self._settings,
            opening=paper.opening,
        )
        if self._evidence != "full":
            return answerer
        if not isinstance(self._generator, Remembering):
            text = beginning(read, _REMOTE_CONTEXT - RESERVED, estimated_tokens)
            return replace(answerer, beginning=text.turns, abridged=bool(text.left_out))
        reading = Reading(read, self._generator, _STATES)
        reading.recall()
        for _ in reading.steps():
            pass
        text = reading.beginning
        return replace(answerer, beginning=text.turns, abridged=bool(text.left_out))


def sample(papers: Sequence[QasperPaper], limit: int, seed: int) -> list[QasperPaper]:
    """The papers in the seed's order, with the first `limit` of their questions; all of them where it is 0.

    A larger limit begins with the same questions, so that a run can be made longer.
    """
    order = np.random.default_rng(seed).permutation(len(papers))
    left = limit or sum(len(paper.questions) for paper in papers)
    found = []
    for place in order:
        if questions := papers[place].questions[:left]:
            found.append(replace(papers[place], questions=questions))
            left -= len(questions)
    return found


def predict(
    papers: Sequence[QasperPaper],
    answerer: Callable[[QasperPaper, Question], Answerer],
    folder: Path,
    workers: int = 1,
) -> Iterator[Prediction]:
    """Answer every question that the folder does not answer yet, paper by paper, and write it there.

    `workers` questions are answered at once; they are written in order all the same. Raises DataError when
    the folder cannot be written to or holds something else.
    """
    known = read(folder)
    runs.trim(folder / "predictions.jsonl")
    jobs = (
        partial(_predicted, question, answerer(paper, question))
        for paper in papers
        for question in paper.questions
        if question.id not in known
    )
    for prediction, timing in _in_order(jobs, workers):
        runs.append(folder / "timings.jsonl", asdict(timing))
        runs.append(folder / "predictions.jsonl", asdict(prediction))
        yield prediction


def _in_order(
    jobs: Iterator[Callable[[], tuple[Prediction, Timing]]], workers: int
) -> Iterator[tuple[Prediction, Timing]]:
    """What the jobs return, in their order, a few ahead of what is asked for."""
    pool = ThreadPoolExecutor(workers)
    under_way: deque[Future[tuple[Prediction, Timing]]] = deque()
    try:
        for job in jobs:
            under_way.append(pool.submit(job))
            if len(under_way) >= workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _predicted(question: Question, answerer: Answerer) -> tuple[Prediction, Timing]:
    *_, done = answerer.answer(question.text)
    assert isinstance(done, Done)  # noqa: S101  answer's promise, for the type checker
    answer = done.answer
    refused = answer.verdict == "not_in_paper"
    evidence = () if refused else _evidence(answer, answerer.opening)
    said = Prediction(question.id, UNANSWERABLE if refused else answer.text, evidence)
    cost = answer.timings
    return said, Timing(question.id, cost.ttft_ms, cost.total_ms, cost.prompt_tokens, cost.completion_tokens)


def _evidence(answer: Answer, opening: Sequence[Passage]) -> tuple[str, ...]:
    """What the answer cites, the abstract apart; where it cites nothing, what was found first."""
    cited = (answer.evidence[citation.evidence].passage for citation in answer.citations)
    found = dict.fromkeys(passage.text for passage in cited if passage not in opening)
    found = found or dict.fromkeys(item.passage.text for item in answer.evidence[:1])
    return tuple(found)[:_MOST_EVIDENCE]


def read(folder: Path) -> dict[str, Prediction]:
    """The predictions of a run's folder, by question. Raises DataError when they are something else."""
    return read_predictions(folder / "predictions.jsonl")


def read_predictions(path: Path) -> dict[str, Prediction]:
    """The predictions of a file in the official form, of any system, by question; none where it is missing.

    Further keys are passed over. Raises DataError for a line that is no prediction.
    """
    found = {}
    for number, line in enumerate(runs.written(path), start=1):
        question, answer = line.get("question_id"), line.get("predicted_answer")
        evidence = line.get("predicted_evidence")
        if not (isinstance(question, str) and isinstance(answer, str) and isinstance(evidence, list)):
            raise DataError(f"{path}, line {number} is no prediction", hint="name a new folder")
        found[question] = Prediction(question, answer, tuple(map(str, evidence)))
    return found


def timings(folder: Path) -> list[Timing]:
    """What the answers cost, in no order; of an answer that was made twice, the last time.

    Raises DataError for a line that is no timing.
    """
    path, found = folder / "timings.jsonl", {}
    for number, line in enumerate(runs.written(path), start=1):
        try:
            first, whole = float(line["ttft_ms"]), float(line["total_ms"])
            read, said = int(line["prompt_tokens"]), int(line["completion_tokens"])
            question = str(line["question_id"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{path}, line {number} is no timing", hint="remove the file") from error
        found[question] = Timing(question, first, whole, read, said)
    return list(found.values())
