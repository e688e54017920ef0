import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, Reference, as_paper
from mozi_engine.errors import DataError
from mozi_engine.evaluation.qasper import Asking, predict, read, sample, timings
from mozi_engine.evaluation.retrieval import builder
from mozi_engine.evaluation.runs import Run, begin
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import GenerationSettings, Turn
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


ANSWERS = ("280M nodes.", "Not in the paper.")


def _asking(*replies: str, evidence: str = "retrieved") -> tuple[Asking, Scripted]:
    model, encoder = Scripted(list(replies)), Encoder()
    return Asking(model, builder("hybrid", encoder), encoder, evidence, 1, GenerationSettings()), model


def test_answers_are_written_as_they_come_in_the_official_form(tmp_path: Path) -> None:
    list(predict([PAPER], _asking(*ANSWERS)[0], tmp_path))
    text = (tmp_path / "predictions.jsonl").read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [
        {"question_id": "q1", "predicted_answer": "280M nodes.", "predicted_evidence": [GOLD]},
        {"question_id": "q2", "predicted_answer": UNANSWERABLE, "predicted_evidence": []},
    ]
    assert [(t.question_id, t.prompt_tokens, t.completion_tokens) for t in timings(tmp_path)] == [
        ("q1", 10, 2),
        ("q2", 10, 4),
    ]


def test_the_abstract_is_read_but_is_no_paragraph_that_can_be_evidence(tmp_path: Path) -> None:
    paper = replace(PAPER, abstract="We built a very large graph.")
    asking, model = _asking("We built a very large graph.", ANSWERS[1])
    first, _ = predict([paper], asking, tmp_path)
    assert all("We built a very large graph." in prompt[1].text for prompt in model.prompts)
    assert first.predicted_evidence == (GOLD,)


@pytest.mark.parametrize("kept", [0, 1, 25, 80, 160])
def test_a_run_that_was_cut_anywhere_goes_on_to_the_same_bytes(tmp_path: Path, kept: int) -> None:
    list(predict([PAPER], _asking(*ANSWERS)[0], tmp_path / "whole"))
    whole = (tmp_path / "whole" / "predictions.jsonl").read_bytes()
    cut = tmp_path / "cut" / "predictions.jsonl"
    cut.parent.mkdir()
    cut.write_bytes(whole[:kept])
    asking, model = _asking(*ANSWERS[whole[:kept].count(b"\n") :])
    list(predict([PAPER], asking, cut.parent))
    assert len(model.prompts) == 2 - whole[:kept].count(b"\n")
    assert cut.read_bytes() == whole


def test_several_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    """The first question is answered last, and written first all the same."""
    questions = tuple(replace(PAPER.questions[0], id=f"q{i}") for i in range(8))
    paper = replace(PAPER, questions=questions)
    for workers in (1, 4):
        slow = iter([0.05, *[0.0] * 7])
        model = Slow(slow)
        encoder = Encoder()
        asking = Asking(model, builder("bm25", encoder), encoder, "retrieved", 1, GenerationSettings())
        list(predict([paper], asking, tmp_path / str(workers), workers))
    one, four = ((tmp_path / name / "predictions.jsonl").read_bytes() for name in ("1", "4"))
    assert one == four
    assert one.count(b"\n") == 8


class Slow:
    """A model that takes its time over some answers."""

    name = "slow"

    def __init__(self, seconds: Iterator[float]) -> None:
        self._seconds = seconds

    def stream(self, messages: Sequence[Turn], settings: GenerationSettings) -> Iterator[str]:
        time.sleep(next(self._seconds))
        yield "280M nodes."


def test_gold_evidence_is_what_the_model_is_given(tmp_path: Path) -> None:
    asking, model = _asking("280M.", "Not in the paper.", evidence="gold")
    list(predict([PAPER], asking, tmp_path))
    assert GOLD in model.prompts[0][1].text
    assert OTHER not in model.prompts[0][1].text
    assert GOLD not in model.prompts[1][1].text


def test_the_whole_paper_is_before_every_question(tmp_path: Path) -> None:
    asking, model = _asking("280M.", "Not in the paper.", evidence="full")
    list(predict([PAPER], asking, tmp_path))
    one, two = (prompt[1].text for prompt in model.prompts)
    assert OTHER in one
    assert GOLD in one
    assert one.partition("Question:")[0] == two.partition("Question:")[0]


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    papers = [replace(PAPER, id=str(i)) for i in range(9)]
    short, long = sample(papers, 5, 7), sample(papers, 9, 7)
    assert sum(len(paper.questions) for paper in short) == 5
    assert [p.id for p in short] == [p.id for p in long[:3]]
    assert [p.id for p in sample(papers, 5, 8)] != [p.id for p in short]
    assert sorted(p.id for p in sample(papers, 0, 7)) == [p.id for p in papers]


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"question_id": "x"}', '{"predicted_evidence": 1}', "\\xff"]
)
def test_a_file_of_something_else_is_never_added_to(tmp_path: Path, line: str) -> None:
    out = tmp_path / "predictions.jsonl"
    out.write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match="line 1 is no"):
        list(predict([PAPER], _asking()[0], tmp_path))
    assert out.read_text("utf-8") == line + "\n"


def test_predictions_of_another_system_may_say_more(tmp_path: Path) -> None:
    line = {"question_id": "q1", "predicted_answer": "280M", "predicted_evidence": [], "score": 3}
    (tmp_path / "predictions.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    assert read(tmp_path)["q1"].predicted_answer == "280M"


def test_a_folder_of_another_run_is_never_added_to(tmp_path: Path) -> None:
    run = Run("sha", "tiny", "gold", "hybrid", 4, 0)
    begin(tmp_path, run)
    begin(tmp_path, run)
    with pytest.raises(DataError, match="holds another run: evidence gold, passages 4"):
        begin(tmp_path, replace(run, evidence="full", passages=3))


@pytest.mark.parametrize("text", ["nonsense", "[]"])
def test_a_run_that_cannot_be_told_is_not_taken_up(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(DataError):
        begin(tmp_path, Run("sha", "tiny", "gold", "hybrid", 4, 0))


def test_a_qasper_paper_is_a_paper() -> None:
    paper = as_paper(PAPER)
    assert [(s.title, [p.text for p in s.paragraphs]) for s in paper.sections] == [
        ("Intro", [OTHER]),
        ("Results", [GOLD]),
    ]
