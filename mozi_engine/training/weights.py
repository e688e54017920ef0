"""The weights of `retrieval.scoring` and `retrieval.select`: logistic regressions, cross-validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.retrieval import select
from mozi_engine.retrieval.scoring import Floats, Weights

FOLDS, STRENGTH = 8, 0.3  # STRENGTH is scikit-learn's C: the inverse of the penalty
REFUSED = 0.12  # about one question in eight of QASPER has no evidence in the text

Key = tuple[str, str]  # a paper's id, and a question
Strangers = Mapping[str, Sequence[Floats]]  # by paper: the features of questions that it does not answer


@dataclass(frozen=True, slots=True)
class Learned:
    """Chances by question, and the chance that its paper does not answer it; that of strangers' questions."""

    chances: Mapping[Key, Floats]
    none: Mapping[Key, float]
    strangers: Sequence[float]


def cross_validated(
    papers: Sequence[QasperPaper], rows: Mapping[Key, Floats], use: Sequence[int], strangers: Strangers
) -> Learned:
    """Each paper scored by weights that were fitted on others; `use` are the columns to learn from."""
    chances: dict[Key, Floats] = {}
    none: dict[Key, float] = {}
    far: list[float] = []
    for fold in range(FOLDS):
        test = papers[fold::FOLDS]
        known = [paper for paper in papers if paper not in test]
        weights = fit(known, rows, use)
        for paper in test:
            for question in paper.questions:
                key = paper.id, question.text
                chances[key] = weights.chances(rows[key][:, use])
        answered, refused = shapes(known, rows, use, weights, strangers)
        model = answerability(answered, refused)
        for paper in test:
            for question in paper.questions:
                shape = select.shape(sorted(chances[paper.id, question.text], reverse=True))
                none[paper.id, question.text] = float(model.predict_proba([shape])[0, 0])
        _, apart = shapes([replace(p, questions=()) for p in test], rows, use, weights, strangers)
        far += [float(value) for value in model.predict_proba(apart)[:, 0]] if apart else []
    return Learned(chances, none, far)


def fit(papers: Sequence[QasperPaper], rows: Mapping[Key, Floats], use: Sequence[int]) -> Weights:
    """Logistic regression: whether the passage is evidence for any annotator."""
    asked = [(paper, question) for paper in papers for question in paper.questions if question.evidence]
    data = np.concatenate([rows[paper.id, question.text][:, use] for paper, question in asked])
    labels = [p.text in question.evidence for paper, question in asked for p in paper.passages]
    model = LogisticRegression(C=STRENGTH, max_iter=2000).fit(data, labels)
    return Weights(float(model.intercept_[0]), model.coef_[0])


def shapes(
    papers: Sequence[QasperPaper],
    rows: Mapping[Key, Floats],
    use: Sequence[int],
    weights: Weights,
    strangers: Strangers,
) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """What the rankings look like of questions that are answered, and of those that are not."""
    answered: list[tuple[float, ...]] = []
    refused: list[tuple[float, ...]] = []
    for paper in papers:
        for question in paper.questions:
            chances = weights.chances(rows[paper.id, question.text][:, use])
            where = answered if question.evidence else refused
            where.append(select.shape(sorted(chances, reverse=True)))
        for features in strangers.get(paper.id, ()):
            chances = weights.chances(features[:, use])
            refused.append(select.shape(sorted(chances, reverse=True)))
    return answered, refused


def answerability(
    answered: Sequence[tuple[float, ...]], refused: Sequence[tuple[float, ...]]
) -> LogisticRegression:
    """Logistic regression with the classes weighed as QASPER has them."""
    labels = [1] * len(answered) + [0] * len(refused)
    share = {1: (1 - REFUSED) / max(1, len(answered)), 0: REFUSED / max(1, len(refused))}
    weights = np.array([share[label] for label in labels]) * len(labels)
    return LogisticRegression(C=1.0, max_iter=2000).fit([*answered, *refused], labels, sample_weight=weights)
