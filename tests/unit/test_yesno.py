from collections.abc import Sequence

import pytest

from mozi_engine import prompts
from mozi_engine.datasets.qasper import QasperPaper, Question, Reference
from mozi_engine.errors import DataError, ModelError
from mozi_engine.evaluation.report import Table
from mozi_engine.evaluation.yesno import examples, items, measure


def _paper(number: int, *answers: str) -> QasperPaper:
    references = tuple(Reference(answer, "boolean", (f"Evidence {number}.",)) for answer in answers)
    others = (Reference("Yes", "boolean", ()), Reference("Yes", "extractive", ("x",)))
    return QasperPaper(
        str(number), "", (), (Question(f"q{number}", f"Is it {number}?", (*references, *others)),)
    )


PAPERS = [_paper(0, "Yes", "No"), _paper(1, "No"), _paper(2, "Yes"), _paper(3, "No")]


class Hears:
    """Says yes where the last evidence of the prompt names an even number; every letter is a token."""

    begin: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def tokens(self, text: str) -> list[int]:
        return list(map(ord, text))

    def logits(self, tokens: Sequence[int], options: Sequence[int]) -> list[float]:
        prompt = "".join(map(chr, tokens))
        self.prompts.append(prompt)
        assert list(map(chr, options)) == ["Y", "N"]
        yes = int(prompt.rpartition("Evidence ")[2][0]) % 2 == 0
        return [1.0, 0.0] if yes else [0.0, 1.0]


def test_every_annotator_who_says_yes_or_no_with_evidence_is_an_item() -> None:
    found = items(PAPERS)
    assert [(item.id, item.paper, item.answer) for item in found][:3] == [
        ("q0.1", "0", True),
        ("q0.2", "0", False),
        ("q1.1", "1", False),
    ]
    with pytest.raises(DataError, match="no yes/no question"):
        items([])


def test_accuracy_is_of_the_likelier_answer_and_papers_are_clusters() -> None:
    *_, table = measure("base", items(PAPERS), [], Hears())
    assert isinstance(table, Table)
    accuracy, constant = table.scores()
    assert (accuracy.value, accuracy.n) == (0.8, 5)  # wrong on the second annotator of paper 0 alone
    assert (constant.value, constant.interval) == (0.6, None)
    assert table.clusters["q0.2"] == "0"


def test_examples_are_of_different_papers_and_of_both_answers() -> None:
    shown = examples(items(PAPERS), 4, 0)
    assert {item.paper for item in shown} == {"0", "1", "2", "3"}
    assert {item.answer for item in shown[:2]} == {True, False}
    assert shown == examples(items(PAPERS), 4, 0)
    with pytest.raises(DataError, match="only 4 papers"):
        examples(items(PAPERS), 5, 0)


def test_the_prompt_shows_the_examples_and_ends_before_the_answer() -> None:
    model = Hears()
    asked = items([PAPERS[3]])
    list(measure("base", asked, items([PAPERS[1]]), model))
    assert model.prompts == [
        prompts.render_yes_no([("Evidence 1.", "Is it 1?", False)], "Evidence 3.", "Is it 3?")
    ]
    assert "Question: Is it 1?\nAnswer:\nNo\n" in model.prompts[0]
    assert model.prompts[0].endswith("Question: Is it 3?\nAnswer:\n")


def test_a_prompt_begins_as_the_models_tokenizer_begins_a_text() -> None:
    model = Hears()
    model.begin = (1,)
    list(measure("base", items([PAPERS[3]]), [], model))
    assert model.prompts == ["\x01" + prompts.render_yes_no([], "Evidence 3.", "Is it 3?")]


class Deaf(Hears):
    def tokens(self, text: str) -> list[int]:
        return [0] * len(text.split())


def test_a_model_that_cannot_tell_yes_from_no_is_refused() -> None:
    with pytest.raises(ModelError, match="Yes from No"):
        list(measure("base", items(PAPERS), [], Deaf()))
