import json
from pathlib import Path

import pytest

from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, Reference, as_paper
from mozi_engine.errors import DataError
from mozi_engine.evaluation.qasper import Asking, Prediction, predict, read, report
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import GenerationSettings
from tests.conftest import Scripted, passage

GOLD, OTHER = "The graph has 280M nodes.", "Trees grow in forests."
PAPER = QasperPaper(
    "p",
    "A Graph",
    (passage(OTHER, 0, "Intro"), passage(GOLD, 1, "Results")),
    (
        Question("q1", "How many nodes has the graph?", (Reference("280M", "extractive", (GOLD,)),)),
        Question(
            "q2",
            "Who paid for it?",
            (Reference(UNANSWERABLE, "none", ()), Reference(UNANSWERABLE, "none", ())),
        ),
    ),
)


def _asking(*replies: str, evidence: str = "retrieved") -> tuple[Asking, Scripted]:
    model = Scripted(list(replies))
    return Asking(model, Encoder(), evidence, 1, GenerationSettings()), model


def test_answers_are_written_as_they_come_in_the_official_form(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    asking, _ = _asking("280M nodes.", "Not in the paper.")
    list(predict([PAPER], asking, out))
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [(x["question_id"], x["predicted_answer"], x["predicted_evidence"]) for x in lines] == [
        ("q1", "280M nodes.", [GOLD]),
        ("q2", UNANSWERABLE, []),
    ]


def test_a_run_that_was_cut_goes_on_to_the_same_answers(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    list(predict([PAPER], _asking("280M nodes.", "Not in the paper.")[0], whole))
    first, second = whole.read_text("utf-8").splitlines(keepends=True)
    cut.write_text(first + second[:20], "utf-8")
    asking, model = _asking("Not in the paper.")
    list(predict([PAPER], asking, cut))
    assert len(model.prompts) == 1
    answers = [
        {k: (p.predicted_answer, p.predicted_evidence) for k, p in read(f).items()} for f in (whole, cut)
    ]
    assert answers[0] == answers[1]


def test_gold_evidence_is_what_the_model_is_given(tmp_path: Path) -> None:
    asking, model = _asking("280M.", "Not in the paper.", evidence="gold")
    list(predict([PAPER], asking, tmp_path / "out.jsonl"))
    assert GOLD in model.prompts[0][1].text
    assert OTHER not in model.prompts[0][1].text
    assert GOLD not in model.prompts[1][1].text


def test_the_whole_paper_is_before_every_question(tmp_path: Path) -> None:
    asking, model = _asking("280M.", "Not in the paper.", evidence="full")
    list(predict([PAPER], asking, tmp_path / "out.jsonl"))
    one, two = (prompt[1].text for prompt in model.prompts)
    assert OTHER in one
    assert GOLD in one
    assert one.partition("Question:")[0] == two.partition("Question:")[0]


def _prediction(question: str, answer: str, *evidence: str) -> Prediction:
    return Prediction(question, answer, evidence, "answered", 0, 0, 0)


def test_the_report_is_the_official_one() -> None:
    predictions = {"q1": _prediction("q1", "the 280M", GOLD, OTHER), "q2": _prediction("q2", "NSF")}
    scores = {score.name: score for score in report([PAPER], predictions)}
    assert scores["Answer-F1"].value == 0.5
    assert scores["Answer-F1, extractive"].value == 1.0
    assert scores["Answer-F1, none"].value == 0.0
    assert scores["Evidence-F1"].value == pytest.approx((2 / 3 + 1) / 2)
    assert scores["not in the paper, recall"].value == 0.0
    assert scores["Answer-F1"].questions == 2


def test_a_question_without_a_prediction_counts_nothing() -> None:
    scores = {score.name: score.value for score in report([PAPER], {})}
    assert scores["Answer-F1"] == scores["Evidence-F1"] == 0.0


def test_saying_that_the_paper_does_not_answer_is_scored_both_ways() -> None:
    predictions = {key: _prediction(key, UNANSWERABLE) for key in ("q1", "q2")}
    scores = {score.name: score.value for score in report([PAPER], predictions)}
    assert scores["not in the paper, precision"] == 0.5
    assert scores["not in the paper, recall"] == 1.0


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"question_id": "x"}', '{"predicted_evidence": 1}'])
def test_a_file_of_something_else_is_never_added_to(tmp_path: Path, line: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match="line 1 is no prediction"):
        list(predict([PAPER], _asking()[0], out))
    assert out.read_text("utf-8") == line + "\n"


def test_a_qasper_paper_is_a_paper() -> None:
    paper = as_paper(PAPER)
    assert [(s.title, [p.text for p in s.paragraphs]) for s in paper.sections] == [
        ("Intro", [OTHER]),
        ("Results", [GOLD]),
    ]
