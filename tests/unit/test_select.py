from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval import select
from mozi_engine.types import Evidence
from tests.conftest import passage

rankings = st.lists(st.floats(0, 1), max_size=20).map(lambda values: sorted(values, reverse=True))


def ranking(*chances: float | None) -> list[Evidence]:
    return [Evidence(passage(f"text {i}", i), c or 0.0, i + 1, c) for i, c in enumerate(chances)]


def test_one_passage_far_ahead_is_believed_alone() -> None:
    assert select.cutoff([0.9, 0.2, 0.2]) == 1


def test_passages_about_as_likely_are_believed_together_up_to_a_few() -> None:
    assert select.cutoff([0.5, 0.45]) == 2
    assert select.cutoff([0.5] * 10) == select.MOST


def test_nothing_is_believed_when_the_likeliest_is_unlikely() -> None:
    assert select.cutoff([select.DOUBT / 2, select.DOUBT / 3]) == 0
    assert select.cutoff([]) == 0


@given(rankings, st.floats(0.01, 1), st.integers(1, 5))
def test_the_cutoff_lies_within_the_ranking(values: list[float], share: float, most: int) -> None:
    assert 0 <= select.cutoff(values, share, most) <= min(most, len(values))


@given(rankings, st.floats(0.01, 1), st.floats(0.01, 1))
def test_the_larger_the_share_asked_for_the_fewer_are_believed(
    values: list[float], one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert select.cutoff(values, more) <= select.cutoff(values, less)


@given(rankings.filter(bool), st.floats(1, 5))
def test_a_rival_that_grows_takes_no_belief_from_itself(values: list[float], factor: float) -> None:
    grown = sorted([min(1.0, values[0] * factor), *values[1:]], reverse=True)
    assert (select.cutoff(grown) > 0) or select.cutoff(values) == 0


@given(rankings)
def test_what_is_believed_is_a_beginning_of_what_was_found(values: list[float]) -> None:
    found = ranking(*values)
    believed = select.believed(found)
    assert believed == tuple(found[: len(believed)])
    assert not (believed and select.doubtful(found))


def test_a_search_without_chances_is_believed_whole_and_never_doubted() -> None:
    found = ranking(None, None)
    assert select.believed(found) == tuple(found)
    assert not select.doubtful(found)


@pytest.mark.parametrize(("first", "doubted"), [(0.001, True), (0.5, False)])
def test_a_paper_without_a_likely_passage_is_doubted(first: float, *, doubted: bool) -> None:
    assert select.doubtful(ranking(first, 0.0005)) is doubted


def test_no_passage_is_no_reason_for_doubt() -> None:
    assert not select.doubtful([])
    assert select.believed([]) == ()
