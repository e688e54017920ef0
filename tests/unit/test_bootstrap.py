import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.evaluation.bootstrap import Measure, difference, mean, score

values = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=12)


def test_a_mean_and_an_interval_that_holds_it() -> None:
    found = score(mean("x", {str(i): float(i % 2) for i in range(100)}), {})
    assert found.value == 0.5
    assert found.interval
    low, high = found.interval
    # The normal approximation: 0.5 -+ 1.96 * sqrt(0.25 / 100)
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.02)
    assert found.n == 100


@given(values)
def test_order_changes_nothing_and_the_seed_decides(items: dict[str, float]) -> None:
    backwards = dict(reversed(items.items()))
    found = score(mean("x", items), {}, 3)
    assert found == score(mean("x", backwards), {}, 3)
    assert found.interval
    low, high = found.interval
    assert min(items.values()) - 1e-9 <= low <= high <= max(items.values()) + 1e-9
    assert low - 1e-9 <= found.value <= high + 1e-9 or len(items) > 1


def test_items_of_one_cluster_fall_together() -> None:
    """Ten papers whose twenty questions are all right or all wrong say no more than ten questions."""
    items = {f"{paper}-{i}": float(paper % 2) for paper in range(10) for i in range(20)}
    papers = {item: item.partition("-")[0] for item in items}
    by_question, by_paper = score(mean("x", items), {}), score(mean("x", items), papers)
    assert by_question.interval
    assert by_paper.interval
    widths = [high - low for low, high in (by_question.interval, by_paper.interval)]
    assert widths[1] > 3 * widths[0]
    assert by_question.value == by_paper.value


def test_a_mean_over_papers_of_unequal_size_is_over_questions() -> None:
    items = {"a": 1.0, "b1": 0.0, "b2": 0.0, "b3": 0.0}
    assert score(mean("x", items), {"b1": "b", "b2": "b", "b3": "b"}).value == 0.25


def test_f1_and_perplexity_are_of_sums_not_means_of_figures() -> None:
    rows = {"q1": (1.0, 1.0, 1.0), "q2": (0.0, 1.0, 0.0), "q3": (0.0, 0.0, 1.0)}
    assert score(Measure("F1", rows, "f1"), {}).value == pytest.approx(2 * 1 / (2 + 2))
    chunks = {"c1": (2 * math.log(4), 2.0), "c2": (math.log(1), 1.0)}
    perplexity = score(Measure("ppl", chunks, "perplexity", "number"), {}).value
    assert perplexity == pytest.approx(math.exp(2 * math.log(4) / 3))


def test_nothing_is_0() -> None:
    assert score(mean("x", {}), {}).value == 0
    assert score(Measure("F1", {"q": (0.0, 0.0, 0.0)}, "f1"), {}).value == 0
    assert difference(mean("x", {"a": 1.0}), mean("x", {"b": 1.0}), {}).n == 0


def test_a_paired_interval_sees_what_two_intervals_cannot() -> None:
    first = {str(i): i / 100 for i in range(100)}
    second = {key: value + 0.01 for key, value in first.items()}
    found = difference(mean("x", first), mean("x", second | {"only here": 5.0}), {})
    assert found.interval == pytest.approx((0.01, 0.01))
    assert found.n == 100
    assert found.p < 0.001


def test_p_is_large_where_the_difference_is_noise_and_the_same_both_ways() -> None:
    first = {str(i): float(i % 2) for i in range(60)}
    second = {str(i): float(i % 3 == 0) for i in range(60)}
    one, other = (difference(mean("x", a), mean("x", b), {}) for a, b in ((first, second), (second, first)))
    assert one.p == other.p > 0.01
    assert one.interval == pytest.approx(tuple(-bound for bound in reversed(other.interval)))
    assert difference(mean("x", first), mean("x", first), {}).p == 1
