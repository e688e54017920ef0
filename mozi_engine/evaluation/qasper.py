"""Answers to QASPER's questions, and their scores by the official protocol.

Predictions are written first, a line each as they come; the report is made from the file, so that scoring
again needs no model, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mozi_engine.answering import Answerer, Done
from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, as_paper
from mozi_engine.errors import DataError
from mozi_engine.evaluation import metrics
from mozi_engine.evaluation.metrics import Score, score
from mozi_engine.evaluation.retrieval import builder
from mozi_engine.reading import RESERVED, Reading, beginning, estimated_tokens
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import Answer, Evidence, GenerationSettings, Generator, Passage, Remembering

EVIDENCE = ("retrieved", "full", "gold")
_REMOTE_CONTEXT = 16384  # tokens that a server is taken to have
_STATES = 10**10  # bytes of states: an evaluation may read hundreds of papers, and read them again
_MOST_EVIDENCE = 3  # paragraphs predicted a question: more cost more precision than they bring recall


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer, in the official form, and what it cost."""

    question_id: str
    predicted_answer: str
    predicted_evidence: tuple[str, ...]
    verdict: str
    ttft_ms: float
    total_ms: float
    prompt_tokens: int


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
        self, generator: Generator, encoder: Encoder, evidence: str, k: int, settings: GenerationSettings
    ) -> None:
        self._generator, self._encoder, self._evidence = generator, encoder, evidence
        self._k, self._settings = k, settings
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
        retriever = builder("hybrid", self._encoder)(paper.id, paper.passages)
        read = as_paper(paper)
        answerer = Answerer(read, retriever, self._generator, self._encoder.encode, self._k, self._settings)
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


def predict(
    papers: Iterable[QasperPaper], answerer: Callable[[QasperPaper, Question], Answerer], out: Path
) -> Iterator[Prediction]:
    """Answer every question that `out` does not answer yet, paper by paper, and append it there.

    Raises DataError when `out` cannot be written to or holds something else.
    """
    known = read(out)
    try:
        with out.open("a", encoding="utf-8") as file:
            for paper in papers:
                for question in paper.questions:
                    if question.id not in known:
                        prediction = _predicted(question, answerer(paper, question))
                        file.write(json.dumps(asdict(prediction), ensure_ascii=False) + "\n")
                        file.flush()
                        yield prediction
    except OSError as error:
        raise DataError(f"cannot write {out}: {error.strerror}", hint="choose another file") from error


def _predicted(question: Question, answerer: Answerer) -> Prediction:
    *_, done = answerer.answer(question.text)
    assert isinstance(done, Done)  # noqa: S101  answer's promise, for the type checker
    answer = done.answer
    refused = answer.verdict == "not_in_paper"
    return Prediction(
        question.id,
        UNANSWERABLE if refused else answer.text,
        () if refused else _evidence(answer),
        answer.verdict,
        answer.timings.ttft_ms,
        answer.timings.total_ms,
        answer.timings.prompt_tokens,
    )


def _evidence(answer: Answer) -> tuple[str, ...]:
    """What the answer cites; where it cites nothing, what was found first."""
    cited = dict.fromkeys(answer.evidence[c.evidence].passage.text for c in answer.citations)
    found = cited or dict.fromkeys(item.passage.text for item in answer.evidence[:1])
    return tuple(found)[:_MOST_EVIDENCE]


def read(path: Path) -> dict[str, Prediction]:
    """The predictions of a file by question; a last line that was cut is not there. Raises DataError."""
    if not path.exists():
        return {}
    found: dict[str, Prediction] = {}
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, "utf-8")
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            fields = json.loads(line)
            prediction = Prediction(**fields | {"predicted_evidence": tuple(fields["predicted_evidence"])})
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}, line {number} is no prediction", hint="name a new file") from error
        found[prediction.question_id] = prediction
    return found


def report(papers: Sequence[QasperPaper], predictions: Mapping[str, Prediction]) -> list[Score]:
    """The official scores over all questions of the papers; one without a prediction counts 0."""
    asked = [question for paper in papers for question in paper.questions]
    answers = {question.id: _best(question, predictions.get(question.id)) for question in asked}
    evidence = [_evidence_f1(question, predictions.get(question.id)) for question in asked]
    by_type = [
        score(f"Answer-F1, {kind}", [f1 for f1, best in answers.values() if best == kind])
        for kind in ("extractive", "abstractive", "boolean", "none")
    ]
    overall = [score("Answer-F1", [f1 for f1, _ in answers.values()]), score("Evidence-F1", evidence)]
    return [*overall, *by_type, *_answerability(asked, predictions)]


def _best(question: Question, prediction: Prediction | None) -> tuple[float, str]:
    """The best F1 over the annotators, and the type of that answer."""
    said = prediction.predicted_answer if prediction else ""
    scored = [(metrics.token_f1(said, reference.text), reference.type) for reference in question.references]
    f1, kind = max(scored, key=lambda item: item[0])
    return (f1, kind) if prediction else (0.0, kind)


def _evidence_f1(question: Question, prediction: Prediction | None) -> float:
    if prediction is None:
        return 0.0
    predicted = prediction.predicted_evidence
    return max(metrics.paragraph_f1(predicted, reference.evidence) for reference in question.references)


def _answerability(asked: Sequence[Question], predictions: Mapping[str, Prediction]) -> list[Score]:
    """Precision, recall and F1 of saying that the paper does not answer; most annotators decide."""
    truth = {q.id: sum(r.type == "none" for r in q.references) * 2 > len(q.references) for q in asked}
    said = {key: p.predicted_answer == UNANSWERABLE for key, p in predictions.items() if key in truth}
    precision = [float(truth[key]) for key, refused in said.items() if refused]
    recall = [float(said[key]) for key, absent in truth.items() if absent and key in said]
    return [score("not in the paper, precision", precision), score("not in the paper, recall", recall)]
