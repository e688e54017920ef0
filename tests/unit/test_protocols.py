"""The official protocol and the Mozi report's, on answers worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, Reference
from mozi_engine.evaluation.mozi_report import items, mozi_report
from mozi_engine.evaluation.official import Prediction, answerability, official
from mozi_engine.evaluation.report import Table
from tests.conftest import passage

GOLD, OTHER = "The graph has 280M nodes.", "Trees grow in forests."
ABSENT = Reference(UNANSWERABLE, "none", ())
PAPER = QasperPaper(
    "p",
    "A Graph",
    (passage(OTHER, 0, "Intro"), passage(GOLD, 1, "Results")),
    (
        Question("q1", "How many nodes?", (Reference("280M", "extractive", (GOLD,)), ABSENT)),
        Question("q2", "Who paid?", (ABSENT, ABSENT, Reference("Yes", "boolean", (OTHER,)))),
        Question("q3", "How  many nodes?", (Reference("280M nodes", "abstractive", (OTHER,)),)),
    ),
)


def _prediction(question: str, answer: str, *evidence: str) -> Prediction:
    return Prediction(question, answer, evidence)


def _values(table: Table) -> dict[str, tuple[float, int]]:
    return {score.name: (score.value, score.n) for score in table.scores()}


PREDICTIONS = {
    "q1": _prediction("q1", "the 280M", GOLD, OTHER),
    "q2": _prediction("q2", "NSF", OTHER),
    "q3": _prediction("q3", UNANSWERABLE),
}


def test_the_official_table() -> None:
    values = _values(official([PAPER], PREDICTIONS))
    assert values["Answer-F1"] == (pytest.approx(1 / 3), 3)
    assert values["Evidence-F1"] == (pytest.approx((2 / 3 + 1 + 0) / 3), 3)
    assert values["Answer-F1, extractive"] == (1.0, 1)
    assert values["Answer-F1, none"] == (0.0, 1)  # of equal scores, the first annotator's type
    assert values["Answer-F1, abstractive"] == (0.0, 1)
    assert values["Answer-F1, boolean"] == (0.0, 0)


def test_a_question_without_a_prediction_counts_0_and_is_of_no_type() -> None:
    table = official([PAPER], {"q1": PREDICTIONS["q1"]})
    assert _values(table)["Answer-F1"] == (pytest.approx(1 / 3), 3)
    assert _values(table)["Answer-F1, abstractive"] == (0.0, 0)
    assert table.notes == ("2 of 3 questions have no prediction and count 0",)


def test_an_empty_prediction_is_right_evidence_where_there_is_none() -> None:
    assert _values(official([PAPER], {"q2": _prediction("q2", UNANSWERABLE)}))["Evidence-F1"] == (
        pytest.approx(1 / 3),
        3,
    )


@given(st.permutations(PAPER.questions[1].references), st.sampled_from(["Yes", "NSF", UNANSWERABLE, ""]))
def test_the_order_of_annotators_does_not_matter(references: list[Reference], said: str) -> None:
    predictions = {"q2": _prediction("q2", said, OTHER)}
    one = replace(PAPER, questions=(PAPER.questions[1],))
    other = replace(one, questions=(replace(one.questions[0], references=tuple(references)),))
    for table in (official, answerability, mozi_report):
        mine, theirs = _values(table([one], predictions)), _values(table([other], predictions))
        best = [name for name in mine if ", " not in name]  # of equal scores the type may differ
        assert [mine[name] for name in best] == [theirs[name] for name in best]
        assert all(0 <= value <= 1 for value, _ in mine.values())


def test_saying_that_the_paper_does_not_answer_is_scored_both_ways() -> None:
    refused = {key: _prediction(key, UNANSWERABLE) for key in ("q1", "q2")}
    values = _values(answerability([PAPER], refused))
    assert values["precision"] == (0.5, 2)  # q2: most annotators found no answer; q1: one of two did
    assert values["recall"] == (1.0, 1)
    assert values["F1"] == (pytest.approx(2 / 3), 2)
    assert _values(answerability([PAPER], {}))["F1"] == (0.0, 0)


def test_the_mozi_report_asks_what_was_answered_and_merges_the_same_question() -> None:
    found = items([PAPER], PREDICTIONS)
    assert [(item.id, item.said, item.references) for item in found] == [
        ("q1", "the 280M", ("280M", "280M nodes")),
        ("q2", "NSF", ("Yes",)),
    ]
    assert [item.boolean for item in found] == [False, True]


def test_the_same_question_about_two_papers_is_two() -> None:
    assert len(items([PAPER, replace(PAPER, id="other")], PREDICTIONS)) == 4


def test_the_mozi_report_table() -> None:
    said = {"q1": _prediction("q1", "280M author nodes"), "q2": _prediction("q2", "Yes.")}
    values = _values(mozi_report([PAPER], said))
    assert values["Answer-P"] == (pytest.approx((2 / 3 + 1) / 2), 2)
    assert values["Answer-R"] == (1.0, 2)
    assert values["Answer-F1"] == (pytest.approx((0.8 + 1) / 2), 2)
    assert values["Answer-F1 without yes/no"] == (pytest.approx(0.8), 1)
    assert values["ROUGE-Lsum"] == (pytest.approx((0.8 + 1) / 2), 2)
    assert "BERTScore-F1" not in values


def test_bert_score_is_a_column_where_there_is_an_encoder() -> None:
    table = mozi_report([PAPER], PREDICTIONS, lambda said, right: [0.5] * len(said))
    assert _values(table)["BERTScore-F1"] == (0.5, 2)


def test_no_answer_counts_0_in_the_mozi_report() -> None:
    assert _values(mozi_report([PAPER], {}))["BLEU"] == (0.0, 2)


def test_papers_are_the_clusters() -> None:
    assert official([PAPER], {}).clusters == {"q1": "p", "q2": "p", "q3": "p"}
