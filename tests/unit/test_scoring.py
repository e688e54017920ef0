from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval import scoring
from tests.conftest import passage

finite = st.floats(0, 30, allow_nan=False)


@pytest.mark.parametrize(
    ("title", "part"),
    [
        ("1 Introduction", "opening"),
        ("Abstract", "opening"),
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


def test_the_weights_that_ship_prefer_what_words_and_meaning_both_prefer() -> None:
    passages = [passage("some words", i) for i in range(4)]
    rows = scoring.features(passages, np.array([9.0, 1, 2, 0]), np.array([0.7, 0.2, 0.1, 0.1]))
    chances = scoring.shipped().chances(rows)
    assert chances.argmax() == 0
    assert np.all((chances > 0) & (chances < 1))


def test_every_feature_has_its_weight() -> None:
    assert scoring.shipped().weights.shape == (len(scoring.NAMES),)
