from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mozi_engine.retrieval import scoring
from tests.conftest import passage

finite = st.floats(0, 30, allow_nan=False)


@pytest.mark.parametrize(
    ("title", "part"),
    [
        ("1 Introduction", "opening"),
        ("Abstract", "other"),
        ("3.2 Experimental Setup", "experiments"),
        ("Datasets", "data"),
        ("Results and Discussion", "results"),
        ("Proposed Model", "method"),
        ("Acknowledgements", "closing"),
        ("相关工作", "related"),
        ("", "other"),
        ("Elephants", "other"),
    ],
)
def test_a_title_says_which_part_of_the_paper_it_heads(title: str, part: str) -> None:
    assert scoring.section(title) == part


@given(st.lists(st.tuples(finite, st.floats(-1, 1)), min_size=1, max_size=12))
def test_features_are_finite_one_row_a_passage(scores: list[tuple[float, float]]) -> None:
    words, cosines = np.array(scores).T
    passages = [passage("some words", i) for i in range(len(scores))]
    rows = scoring.features(passages, words, cosines)
    assert rows.shape == (len(scores), len(scoring.NAMES))
    assert np.isfinite(rows).all()


def test_no_passages_have_no_rows() -> None:
    assert scoring.features([], np.zeros(0), np.zeros(0)).shape == (0, len(scoring.NAMES))


def chances(words: list[float], cosines: list[float], coverage: list[float]) -> NDArray[np.float64]:
    passages = [passage("some words", i) for i in range(len(words))]
    near = np.array(cosines)
    rows = scoring.features(passages, np.array(words), near)
    return scoring.shipped().chances(rows, near, np.array(coverage))


def test_the_weights_that_ship_prefer_what_words_and_meaning_both_prefer() -> None:
    found = chances([9.0, 1, 2, 0], [0.7, 0.2, 0.1, 0.1], [1.0, 0.2, 0.2, 0])
    assert found.argmax() == 0
    assert np.all((found > 0) & (found < 1))


def test_a_question_that_nothing_in_the_paper_is_near_has_smaller_chances() -> None:
    near = chances([9.0, 1, 2, 0], [0.7, 0.2, 0.1, 0.1], [1.0, 0.2, 0.2, 0])
    far = chances([0.9, 0.1, 0.2, 0], [0.1, 0.02, 0.01, 0.01], [0.1, 0, 0, 0])
    assert far.max() < near.max() / 5


def test_every_feature_has_its_weight() -> None:
    model = scoring.shipped()
    assert model.evidence.weights.shape == (len(scoring.NAMES),)
    assert model.answerable.weights.shape == (len(scoring.SIGNS),)


def test_no_passages_have_no_chances() -> None:
    assert chances([], [], []).shape == (0,)
