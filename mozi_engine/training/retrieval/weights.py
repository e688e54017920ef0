"""The weights of `retrieval.scoring` and `retrieval.select`: logistic regressions, cross-validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from mozi_engine.retrieval import scoring
from mozi_engine.retrieval.scoring import Floats, Model, Weights

FOLDS, STRENGTH = 8, 0.3  # STRENGTH is scikit-learn's C: the inverse of the penalty
DOUBTING = 10.0  # the same, of the chance that there is an answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put to a paper: what speaks for each passage, and for there being an answer.

    `evidence` says which passages any annotator rests on; `answered` whether the question is answered there.
    """

    paper_id: str
    question: str
    rows: Floats
    cosines: Floats
    coverage: Floats
    evidence: tuple[bool, ...]
    answered: bool


def fit(asked: Sequence[Asked], use: Sequence[int]) -> Model:
    """Both regressions; `use` are the columns of `rows` to learn from.

    The chance of an answer is fitted as if half of all questions had none; a threshold decides what to doubt.
    """
    known = [item for item in asked if any(item.evidence)]
    data = np.concatenate([item.rows[:, use] for item in known])
    evidence = _fitted(data, [label for item in known for label in item.evidence], STRENGTH)
    signs = [_signs(evidence, item, use) for item in asked]
    labels = [item.answered for item in asked]
    share = {label: len(labels) / 2 / max(1, labels.count(label)) for label in (True, False)}
    answerable = _fitted(np.array(signs), labels, DOUBTING, [share[label] for label in labels])
    return Model(answerable, evidence)


def _fitted(
    data: Floats, labels: Sequence[bool], strength: float, weights: Sequence[float] | None = None
) -> Weights:
    if len({*labels}) < 2:
        return Weights(20.0 if labels[0] else -20.0, np.zeros(data.shape[1]))
    model = LogisticRegression(C=strength, max_iter=2000).fit(data, labels, sample_weight=weights)
    return Weights(float(model.intercept_[0]), model.coef_[0])


def _signs(evidence: Weights, item: Asked, use: Sequence[int]) -> Floats:
    return scoring.signs(evidence.chances(item.rows[:, use]), item.cosines, item.coverage)


def cross_validated(asked: Sequence[Asked], use: Sequence[int]) -> list[Floats]:
    """The chances of every question's passages by a model that was fitted on other papers."""
    papers = list(dict.fromkeys(item.paper_id for item in asked))
    fold = {paper: number % FOLDS for number, paper in enumerate(papers)}
    models = [fit([item for item in asked if fold[item.paper_id] != each], use) for each in range(FOLDS)]
    return [
        models[fold[item.paper_id]].chances(item.rows[:, use], item.cosines, item.coverage) for item in asked
    ]
