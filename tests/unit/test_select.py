from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval import select
from mozi_engine.types import Evidence
from tests.conftest import passage

chances = st.floats(0.001, 0.999)
rankings = st.lists(chances, max_size=20).map(lambda values: sorted(values, reverse=True))


def ranking(values: list[float | None]) -> list[Evidence]:
    return [Evidence(passage(f"text {i}", i), value or 0.0, i + 1, value) for i, value in enumerate(values)]


def test_one_sure_passage_is_believed_alone() -> None:
    assert select.cutoff([0.95, 0.05, 0.05, 0.05]) == 1


def test_passages_that_are_as_likely_are_believed_together() -> None:
    assert select.cutoff([0.9, 0.9, 0.9, 0.02]) == 3


def test_nothing_is_believed_when_there_is_likely_nothing() -> None:
    assert select.cutoff([0.1, 0.05], none=0.9) == 0
    assert select.cutoff([]) == 0


@given(rankings, st.floats(0, 1))
def test_the_cutoff_lies_within_the_ranking(values: list[float], none: float) -> None:
    assert 0 <= select.cutoff(values, none) <= len(values)


@given(rankings, st.floats(0, 1), st.floats(0, 1))
def test_the_likelier_it_is_that_there_is_nothing_the_fewer_are_believed(
    values: list[float], one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert select.cutoff(values, more) <= select.cutoff(values, less)


@given(rankings)
def test_what_cannot_be_evidence_changes_no_cutoff(values: list[float]) -> None:
    assert select.cutoff([*values, 0.0, 0.0]) == select.cutoff(values)


@given(rankings)
def test_the_chance_of_an_answer_is_one(values: list[float]) -> None:
    assert 0 <= select.answerable(values) <= 1


def test_no_passage_answers_nothing() -> None:
    assert select.answerable([]) == 0
    assert not select.doubtful([])
    assert select.believed([]) == ()


def test_a_ranking_that_is_surer_is_likelier_to_hold_the_answer() -> None:
    flat, peaked = [0.02] * 10, [0.9, *[0.02] * 9]
    assert select.answerable(flat) < select.answerable(peaked)
    assert not select.doubtful(ranking([*peaked]))


def test_a_search_without_chances_is_believed_whole_and_never_doubted() -> None:
    found = ranking([None, None])
    assert select.believed(found) == tuple(found)
    assert not select.doubtful(found)
    assert not select.doubtful(ranking([0.001, None]))


@given(rankings)
def test_what_is_believed_is_a_beginning_of_what_was_found(values: list[float]) -> None:
    found = ranking([*values])
    believed = select.believed(found)
    assert believed == tuple(found[: len(believed)])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_set_believed_has_the_largest_expected_f1_of_all_sets(size: int) -> None:
    values = [0.8, 0.45, 0.3, 0.1][: size + 1]

    def expected(chosen: tuple[int, ...]) -> float:
        """E[F1] with every passage evidence or not by itself, given that some is."""
        total = weight = 0.0
        for gold in itertools.product((0, 1), repeat=len(values)):
            chance = 1.0
            for value, is_gold in zip(values, gold, strict=True):
                chance *= value if is_gold else 1 - value
            if any(gold):
                weight += chance
                hits = sum(gold[i] for i in chosen)
                total += chance * 2 * hits / (len(chosen) + sum(gold))
        return total / weight

    sets = [s for k in range(1, len(values) + 1) for s in itertools.combinations(range(len(values)), k)]
    best = max(expected(s) for s in sets)
    assert expected(tuple(range(select.cutoff(values)))) >= best - 0.03
