"""QASPER's official protocol: scores of predictions, as its evaluator computes them, with intervals.

Source: allenai/qasper-led-baseline, scripts/evaluator.py, with --text_evidence_only (Dasigi et al., 2021).
Whether an answer is missing from the paper is a table of its own: the official evaluator does not score it.
Intervals are over papers: the questions of one paper are answered from the same text, and fail together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from mozi_engine.datasets.qasper import UNANSWERABLE, AnswerType, QasperPaper, Question
from mozi_engine.evaluation import metrics
from mozi_engine.evaluation.bootstrap import Measure, mean
from mozi_engine.evaluation.report import Table


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer, in the official form; `predicted_answer` is "Unanswerable" where the paper does not say."""

    question_id: str
    predicted_answer: str
    predicted_evidence: tuple[str, ...]


Predictions = Mapping[str, Prediction]  # by question


def clusters(papers: Sequence[QasperPaper]) -> dict[str, str]:
    """The paper of every question."""
    return {question.id: paper.id for paper in papers for question in paper.questions}


def official(papers: Sequence[QasperPaper], predictions: Predictions) -> Table:
    """Answer-F1 and Evidence-F1, the best over the annotators, and Answer-F1 by the type of that answer.

    A question without a prediction counts 0 in the first two, and in none of the types.
    """
    asked = [question for paper in papers for question in paper.questions]
    answers = {q.id: _answer_f1(q, predictions[q.id]) for q in asked if q.id in predictions}
    evidence = {q.id: _evidence_f1(q, predictions[q.id]) for q in asked if q.id in predictions}
    measures = [
        mean("Answer-F1", {q.id: answers[q.id][0] if q.id in answers else 0.0 for q in asked}),
        mean("Evidence-F1", {q.id: evidence.get(q.id, 0.0) for q in asked}),
    ]
    for kind in get_args(AnswerType):
        of_kind = {key: f1 for key, (f1, best) in answers.items() if best == kind}
        measures.append(mean(f"Answer-F1, {kind}", of_kind))
    missing = len(asked) - len(answers)
    notes = (f"{missing} of {len(asked)} questions have no prediction and count 0",) if missing else ()
    return Table("official", tuple(measures), clusters(papers), notes=notes)


def answerability(papers: Sequence[QasperPaper], predictions: Predictions) -> Table:
    """Precision, recall and F1 of saying that the paper does not answer; most annotators decide.

    Questions without a prediction are left out.
    """
    asked = [q for paper in papers for q in paper.questions if q.id in predictions]
    absent = {q.id: q.unanswerable for q in asked}
    said = {q.id: predictions[q.id].predicted_answer == UNANSWERABLE for q in asked}
    right = {key: float(absent[key] and said[key]) for key in said}
    measures = (
        Measure("precision", {key: (right[key], 1.0) for key in said if said[key]}),
        Measure("recall", {key: (right[key], 1.0) for key in said if absent[key]}),
        Measure("F1", {key: (right[key], float(said[key]), float(absent[key])) for key in said}, "f1"),
    )
    return Table("not in the paper", measures, clusters(papers))


def _answer_f1(question: Question, prediction: Prediction) -> tuple[float, AnswerType]:
    """The best F1 over the annotators, and the type of that answer."""
    said = prediction.predicted_answer
    scored = [(metrics.token_f1(said, reference.text), reference.type) for reference in question.references]
    return max(scored, key=lambda item: item[0])


def _evidence_f1(question: Question, prediction: Prediction) -> float:
    predicted = prediction.predicted_evidence
    return max(metrics.paragraph_f1(predicted, reference.evidence) for reference in question.references)
