from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Question, Reference
from mozi_engine.errors import DataError
from mozi_engine.evaluation.retrieval import Found, builder, encoder_of, evaluate, milliseconds, table
from mozi_engine.retrieval.dense import Encoder, Vectors
from mozi_engine.types import Evidence, Progress
from tests.conftest import passage

TEXTS = ("The graph has 280M nodes.", "Trees grow in forests.", "We train on SQuAD.")
PAPER = QasperPaper(
    "p",
    "A Graph",
    (*(passage(text, i) for i, text in enumerate(TEXTS)), passage("Nodes.", 3, kind="caption")),
    (
        Question(
            "q1",
            "How many nodes has the graph?",
            (
                Reference("280M", "extractive", TEXTS[:1]),
                Reference("280M", "extractive", TEXTS[:2]),
            ),
        ),
        Question("q2", "Who paid for SQuAD?", (Reference(UNANSWERABLE, "none", ()),)),
    ),
)


def _found(*names: str, **more: object) -> list[tuple[str, Found]]:
    found = evaluate([PAPER], {name: Encoder() for name in names}, **more)  # type: ignore[arg-type]
    return [item for item in found if not isinstance(item, Progress)]


def test_evidence_is_scored_against_the_best_annotator() -> None:
    (_, first), (_, second) = _found("bm25")
    assert first.evidence_f1[0] == 1.0
    assert first.oracle_f1 == 1.0
    assert first.recall == (0.5, 0.5, 0.5)  # BM25 finds one of all annotators' two
    assert first.reciprocal_rank == 1.0
    assert second.evidence_f1[0] == 0.0  # something was found where there is nothing
    assert second.oracle_f1 == 1.0  # none is believed
    assert second.recall is None


def test_a_learned_cutoff_may_believe_nothing() -> None:
    asked = []

    def none_of_it(question: str, ranked: Sequence[Evidence]) -> int:
        asked.append((question, len(ranked)))
        return 0

    (_, first), (_, second) = _found("bm25", cutoff=none_of_it)
    assert (first.learned_f1, second.learned_f1) == (0.0, 1.0)
    assert asked[0] == (PAPER.questions[0].text, 1)
    scores = table("bm25", [first, second], {}).scores()
    assert {s.name: s.value for s in scores}["Evidence-F1, learned cutoff"] == 0.5


def test_a_search_without_chances_has_no_learned_cutoff() -> None:
    """Not even where it finds nothing."""
    question = replace(PAPER.questions[0], text="xyzzy")
    paper = replace(PAPER, questions=(*PAPER.questions, question))
    found = evaluate([paper], {"bm25": Encoder()})
    assert [item[1].learned_f1 for item in found if not isinstance(item, Progress)] == [None] * 3


def test_every_retriever_is_asked_about_every_question_in_one_pass() -> None:
    found = _found("bm25", "dense", "hybrid")
    assert [(name, item.question_id) for name, item in found] == [
        (name, question) for name in ("bm25", "dense", "hybrid") for question in ("q1", "q2")
    ]
    rows = {name: table(name, [item for n, item in found if n == name], {}) for name, _ in found}
    names = [score.name for score in rows["dense"].scores()]
    assert names[:4] == [*(f"Evidence-F1 at {k}" for k in (1, 2, 3)), "Evidence-F1, oracle cutoff"]
    assert [score.n for score in rows["dense"].scores()][-2:] == [1, 1]


class Unloadable(Encoder):
    """An encoder that must not be needed."""

    def stream(self, texts: Sequence[str]) -> Vectors:  # type: ignore[override]
        raise AssertionError(texts)


def test_a_second_run_embeds_nothing() -> None:
    first = _found("dense", "hybrid")
    again = evaluate([PAPER], {name: Unloadable() for name in ("dense", "hybrid")})
    assert [item for item in again if not isinstance(item, Progress)] == first


def test_a_folder_with_an_encoder_is_a_dense_retriever(tmp_path: Path) -> None:
    own = files("mozi_engine.retrieval").joinpath("encoder")
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(own.joinpath(name).read_bytes())
    name = str(tmp_path)
    found = evaluate([PAPER], {name: encoder_of(name), "dense": encoder_of("dense")})
    scores = [item[1] for item in found if not isinstance(item, Progress)]
    assert scores[:2] == scores[2:]


def test_what_is_no_retriever_is_refused(tmp_path: Path) -> None:
    for name in ("bm52", str(tmp_path)):
        with pytest.raises(DataError, match="no retriever named"):
            encoder_of(name)


def test_vectors_at_hand_change_nothing() -> None:
    encoder = Encoder()
    plain = builder("dense", encoder)(PAPER.id, PAPER.passages[:3])
    best = plain.search(PAPER.questions[0].text, 20)
    (_, found), _ = _found("dense")
    assert found.evidence_f1[0] == float(best[0].passage.text == TEXTS[0])


def test_no_questions_are_no_table_rows() -> None:
    assert table("bm25", [], {}).scores() == []
    assert milliseconds([], "bm25", Encoder()) == 0


def test_a_search_takes_time() -> None:
    assert milliseconds([PAPER], "bm25", Encoder()) > 0


@pytest.mark.parametrize("took", [None, 1.25])
def test_the_time_is_a_note(took: float | None) -> None:
    notes = table("bm25", [], {}, took).notes
    assert notes == (() if took is None else ("1.2 ms a question (median)",))
