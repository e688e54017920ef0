import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.evaluation import metrics

texts = st.text("abc 1.,", max_size=20)
paragraphs = st.lists(st.sampled_from("pqrstu"), max_size=5, unique=True)
some_paragraphs = st.lists(st.sampled_from("pqrstu"), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("The BERT model", "BERT model.", (1, 1, 1)),
        ("BERT", "BERT and SPECTER", (1, 1 / 3, 0.5)),
        ("a a b", "a b b", (1, 0.5, 2 / 3)),  # "a" is an article: b against b b
        ("Yes", "No", (0, 0, 0)),
        ("", "", (0, 0, 0)),
        ("280M nodes", "more than 280M nodes", (1, 0.5, 2 / 3)),
        ("x y z w", "y", (0.25, 1, 0.4)),
    ],
)
def test_answer_f1_is_squads(prediction: str, reference: str, expected: tuple[float, ...]) -> None:
    found = metrics.token_overlap(prediction, reference)
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected)


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
    assert metrics.token_overlap(one, other).precision == metrics.token_overlap(other, one).recall


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


@given(st.lists(st.sampled_from("pqrstu"), max_size=8), some_paragraphs, st.integers(1, 8))
def test_rank_metrics_are_shares_and_a_perfect_ranking_is_1(
    ranked: list[str], wanted: list[str], k: int
) -> None:
    for metric in (metrics.recall_at, metrics.ndcg):
        assert 0 <= metric(ranked, wanted, k) <= 1
        assert metric(wanted, wanted, 8) == pytest.approx(1)
    assert metrics.recall_at(ranked, wanted, k) <= metrics.recall_at(ranked, wanted, k + 1)


def test_distinct_counts_what_is_not_repeated() -> None:
    replies = [["i", "see"], ["i", "see", "you"]]
    assert metrics.distinct(replies, 1) == pytest.approx(3 / 5)
    assert metrics.distinct(replies, 2) == pytest.approx(2 / 3)
    assert metrics.distinct([], 1) == metrics.distinct([["one"]], 2) == 0
