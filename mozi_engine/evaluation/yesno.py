"""QASPER's yes/no questions, by which answer a model finds likelier: the original's few-shot test.

As there (gmftbyGMFTBY/science-llm, PretrainQASPERTestDataset), every annotator's yes or no that has evidence
is an item, asked with that evidence. The examples before it come from a file of their own, where the original
took them from the papers that it tested on. Intervals are over papers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mozi_engine import prompts
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.errors import DataError, ModelError
from mozi_engine.evaluation.bootstrap import Score, mean
from mozi_engine.evaluation.report import Table
from mozi_engine.types import Progress


class Chooser(Protocol):
    """What this test asks of a model; `begin` is the token that its tokenizer puts before a text, if any."""

    begin: tuple[int, ...]

    def tokens(self, text: str) -> list[int]:
        """The text's token ids."""
        ...

    def logits(self, tokens: Sequence[int], options: Sequence[int]) -> list[float]:
        """How likely each option is to come next."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One annotator's answer to a yes/no question."""

    id: str
    paper: str
    question: str
    evidence: str
    answer: bool


def items(papers: Sequence[QasperPaper]) -> list[Item]:
    """Every yes/no answer that rests on text. Raises DataError where there is none."""
    found = [
        Item(
            f"{question.id}.{number}",
            paper.id,
            question.text,
            "\n".join(reference.evidence),
            reference.text == "Yes",
        )
        for paper in papers
        for question in paper.questions
        for number, reference in enumerate(question.references, start=1)
        if reference.type == "boolean" and reference.evidence
    ]
    if not found:
        raise DataError("the file has no yes/no question with evidence", hint="give another one")
    return found


def examples(known: Sequence[Item], count: int, seed: int) -> list[Item]:
    """As many items of different papers, drawn by the seed, yes and no in turn as far as there are both.

    Raises DataError where there are not so many.
    """
    order = [known[i] for i in np.random.default_rng(seed).permutation(len(known))]
    by_answer = {answer: [item for item in order if item.answer is answer] for answer in (True, False)}
    chosen: list[Item] = []
    while len(chosen) < count and any(by_answer.values()):
        wanted = len(chosen) % 2 == 0
        pool = by_answer[wanted] or by_answer[not wanted]
        item = pool.pop(0)
        if item.paper not in {known.paper for known in chosen}:
            chosen.append(item)
    if len(chosen) < count:
        raise DataError(f"only {len(chosen)} papers have yes/no questions to show", hint="fewer --shots")
    return chosen


def measure(
    name: str, asked: Sequence[Item], shown: Sequence[Item], model: Chooser
) -> Iterator[Progress | Table]:
    """Progress for every item, then the table: accuracy, and what always saying the same would reach."""
    before = [(item.evidence, item.question, item.answer) for item in shown]
    right = {}
    for done, item in enumerate(asked, start=1):
        prompt = prompts.render_yes_no(before, item.evidence, item.question)
        right[item.id] = float(_says_yes(model, prompt) == item.answer)
        yield Progress(name, done, len(asked), "questions")
    yes = sum(item.answer for item in asked) / len(asked)
    constant = Score("always the more frequent answer", max(yes, 1 - yes), None, len(asked))
    clusters = {item.id: item.paper for item in asked}
    yield Table(name, (mean("accuracy", right),), clusters, (constant,))


def _says_yes(model: Chooser, prompt: str) -> bool:
    """Whether Yes is likelier than No, at the first token in which they differ after this prompt."""
    yes, no = model.tokens(f"{prompt}Yes"), model.tokens(f"{prompt}No")
    place = next((i for i, (one, other) in enumerate(zip(yes, no, strict=False)) if one != other), None)
    if place is None:
        raise ModelError("the model's tokenizer does not tell Yes from No", hint="give another model")
    likely = model.logits((*model.begin, *yes[:place]), (yes[place], no[place]))
    return likely[0] > likely[1]
