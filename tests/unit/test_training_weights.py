from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from mozi_engine.retrieval import scoring
from mozi_engine.training.retrieval.weights import FOLDS, Asked, cross_validated, fit
from tests.conftest import passage

USE = range(len(scoring.NAMES))


def asked(number: int, *, answered: bool = True) -> Asked:
    """A question whose evidence is the one passage that is near; none is when the paper does not answer."""
    drawn = np.random.default_rng(number)
    cosines, gold = drawn.uniform(0, 0.2, 8), number % 8
    if answered:
        cosines[gold] = 0.8
    passages = [passage("some words", i) for i in range(8)]
    rows = scoring.features(passages, drawn.uniform(0, 5, 8), cosines)
    evidence = tuple(answered and i == gold for i in range(8))
    return Asked(f"paper {number // 2}", f"question {number}", rows, cosines, cosines, evidence, answered)


@pytest.fixture(scope="module")
def questions() -> list[Asked]:
    return [asked(n) for n in range(2 * FOLDS)] + [asked(n, answered=False) for n in range(2 * FOLDS)]


def test_weights_learned_on_other_papers_find_the_evidence(questions: list[Asked]) -> None:
    for item, chances in zip(questions, cross_validated(questions, USE), strict=True):
        assert chances.shape == (8,)
        if item.answered:
            assert item.evidence[chances.argmax()]


def test_questions_that_are_not_answered_have_smaller_chances(questions: list[Asked]) -> None:
    chances = cross_validated(questions, USE)
    first = [float(each.max()) for each in chances]
    answered = [value for value, item in zip(first, questions, strict=True) if item.answered]
    refused = [value for value, item in zip(first, questions, strict=True) if not item.answered]
    assert max(refused) < min(answered)


def test_where_every_question_is_answered_none_is_doubted(questions: list[Asked]) -> None:
    known = [item for item in questions if item.answered]
    model = fit(known, USE)
    chances = model.chances(known[0].rows, known[0].cosines, known[0].coverage)
    assert chances.max() > 0.5
