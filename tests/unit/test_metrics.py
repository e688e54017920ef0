import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.evaluation import metrics

texts = st.text("abc 1.,", max_size=20)
paragraphs = st.lists(st.sampled_from("pqrstu"), max_size=5, unique=True)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("The BERT model", "BERT model.", 1.0),
        ("BERT", "BERT and SPECTER", 0.5),  # precision 1, recall 1/3
        ("a a b", "a b b", 1.0),  # "a" is an article: b against b b has precision 1, recall 1/2
        ("Yes", "No", 0.0),
        ("", "", 0.0),
        ("280M nodes", "more than 280M nodes", 2 / 3),
    ],
)
def test_answer_f1_is_squads(prediction: str, reference: str, expected: float) -> None:
    if prediction == "a a b":
        expected = 2 * 1 * 0.5 / 1.5
    assert metrics.token_f1(prediction, reference) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predicted", "wanted", "expected"),
    [
        ([], [], 1.0),
        (["p"], [], 0.0),
        ([], ["p"], 0.0),
        (["p", "q"], ["p"], 2 / 3),
        (["p", "q", "r"], ["p", "q", "s", "t"], 2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2)),
    ],
)
def test_evidence_f1_is_the_official_one(predicted: list[str], wanted: list[str], expected: float) -> None:
    assert metrics.paragraph_f1(predicted, wanted) == pytest.approx(expected)


@given(texts, texts)
def test_answer_f1_is_symmetric_and_between_0_and_1(one: str, other: str) -> None:
    assert 0 <= metrics.token_f1(one, other) <= 1
    assert metrics.token_f1(one, other) == pytest.approx(metrics.token_f1(other, one))
    assert metrics.token_f1(one, one) == (1.0 if metrics.normalized(one) else 0.0)


@given(paragraphs, paragraphs)
def test_evidence_f1_does_not_depend_on_order(predicted: list[str], wanted: list[str]) -> None:
    score = metrics.paragraph_f1(predicted, wanted)
    assert 0 <= score <= 1
    assert score == metrics.paragraph_f1(predicted[::-1], sorted(wanted))


@given(paragraphs, paragraphs)
def test_the_oracle_is_never_worse_than_any_cutoff(ranked: list[str], wanted: list[str]) -> None:
    best = metrics.oracle_f1(ranked, wanted, 5)
    assert all(best >= metrics.paragraph_f1(ranked[:k], wanted) for k in range(6))


def test_rank_metrics_by_hand() -> None:
    ranked, wanted = ["a", "b", "c", "d"], ["b", "d", "x"]
    assert metrics.recall_at(ranked, wanted, 2) == pytest.approx(1 / 3)
    assert metrics.reciprocal_rank(ranked, wanted) == 0.5
    gains = 1 / 1.584962500721156 + 1 / 2.321928094887362
    best = 1 + 1 / 1.584962500721156 + 1 / 2
    assert metrics.ndcg(ranked, wanted, 10) == pytest.approx(gains / best)
    assert metrics.reciprocal_rank(ranked, []) == 0
    assert metrics.recall_at(ranked, [], 3) == metrics.ndcg(ranked, [], 3) == 1


def test_an_interval_holds_the_mean_and_is_the_same_for_the_same_seed() -> None:
    values = [0.0, 1.0] * 50
    low, high = metrics.interval(values)
    assert 0.35 < low < 0.5 < high < 0.65
    assert metrics.interval(values) == (low, high)
    assert metrics.interval([]) == (0.0, 0.0)


def test_a_paired_interval_sees_what_two_intervals_cannot() -> None:
    first = {str(i): i / 100 for i in range(100)}
    second = {key: value + 0.01 for key, value in first.items()}
    low, high = metrics.paired_interval(first, second | {"only here": 5.0})
    assert low == pytest.approx(0.01)
    assert high == pytest.approx(0.01)
