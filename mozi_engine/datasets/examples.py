"""What a question about a paper gives: conversations to learn from, and an example for the retriever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from mozi_engine import prompts
from mozi_engine.datasets import records
from mozi_engine.datasets.pieces import Cut
from mozi_engine.datasets.qasper import QasperPaper, Question, Reference
from mozi_engine.types import Evidence, Turn

NOT_IN_PAPER = "Not in the paper."  # what prompts.PAPER tells a model to say


@dataclass(frozen=True, slots=True)
class Options:
    """How examples are made.

    `passages` is what an example's prompt holds after the abstract: the gold passages, filled up with those
    that BM25 ranks first, in an order drawn by the seed; 0 is the gold ones alone, in the paper's order.
    `original` keeps what the original Mozi trained on: no unanswerable questions, yes and no only with
    evidence, gold alone, no abstract.
    `withheld` is the part of the questions that are asked once more without their evidence, from the rest of
    the paper alone: they are what a model learns from to say that an answer is not there.
    `negatives` is how many of the same paper's other passages, hardest first, go with a question.
    """

    seed: int = 0
    passages: int = 4
    original: bool = False
    withheld: float = 0.0
    negatives: int = 16
    tolerance: float = records.TOLERANCE


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its paper in passages, and the indices of them all, best first, as BM25 ranks them."""

    paper: QasperPaper
    question: Question
    pieces: Cut
    ranked: Sequence[int]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation to learn from; its last turn is the answer. `type` is the answer's, or a task's."""

    id: str
    type: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """A question with passages (texts) that answer it and passages of the same paper that do not."""

    positives: tuple[str, ...]
    negatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A whole record that gives no example, and why."""

    why: str


def conversations(asked: Asked, options: Options) -> Iterator[Conversation | LeftOut]:
    """One conversation an answer, unless another annotator gave it in the same words."""
    said: set[str] = set()
    for number, reference in enumerate(asked.question.references):
        why = _unfit(reference, asked.pieces, options)
        if not why and reference.text.casefold() in said:
            why = "the same answer by another annotator"
        if why:
            yield LeftOut(why)
            continue
        said.add(reference.text.casefold())
        identity = f"{asked.question.id}-{number}"
        shown = _shown(asked, reference, options, Random(f"{options.seed} {identity}"))  # noqa: S311
        answer = NOT_IN_PAPER if reference.type == "none" else reference.text
        yield Conversation(identity, reference.type, _turns(asked, shown, answer, options))


def withheld(asked: Asked, options: Options) -> Iterator[Conversation]:
    """The question once more, if it is drawn, from passages that no annotator rests on.

    A paper of which no other passage is known gives none.
    """
    random = Random(f"{options.seed} {asked.question.id} withheld")  # noqa: S311
    gold = {i for reference in asked.question.references for i in asked.pieces.of(reference)}
    others = [index for index in asked.ranked if index not in gold][: options.passages]
    if not gold or not others or random.random() >= options.withheld:
        return
    random.shuffle(others)
    turns = _turns(asked, _evidence(asked, others), NOT_IN_PAPER, options)
    yield Conversation(f"{asked.question.id}-withheld", "withheld", turns)


def _turns(asked: Asked, shown: Sequence[Evidence], answer: str, options: Options) -> tuple[Turn, ...]:
    opening = () if options.original else asked.paper.opening
    asking = prompts.render(asked.paper.title, shown, asked.question.text, opening=opening)
    return (*asking, Turn("assistant", answer))


def _unfit(reference: Reference, pieces: Cut, options: Options) -> str:
    """Why an answer makes no example; "" when it does."""
    if reference.type == "none":
        return "unanswerable (the original's filter)" if options.original else ""
    if options.original:
        bare = reference.type == "boolean" and not (reference.evidence or reference.captions)
        return "yes or no without evidence (the original's filter)" if bare else ""
    return "" if pieces.of(reference) else "an answer without evidence"


def _shown(asked: Asked, reference: Reference, options: Options, random: Random) -> list[Evidence]:
    chosen = list(asked.pieces.of(reference))
    if options.passages and not options.original:
        others = [index for index in asked.ranked if index not in chosen]
        chosen += others[: max(0, options.passages - len(chosen))]
        random.shuffle(chosen)  # so that the place of a passage tells nothing about it
    return _evidence(asked, chosen)


def _evidence(asked: Asked, chosen: Sequence[int]) -> list[Evidence]:
    return [Evidence(asked.pieces.passages[index], 1.0, rank) for rank, index in enumerate(chosen, start=1)]


def pairs(asked: Asked, options: Options) -> Pairs | LeftOut:
    """Positives are what any annotator rests on; negatives what none does, and what is no copy of it."""
    passages = asked.pieces.passages
    gold = sorted({i for reference in asked.question.references for i in asked.pieces.of(reference)})
    if not gold:
        return LeftOut("a question without evidence, for the retriever")
    positives = tuple(dict.fromkeys(passages[index].text for index in gold))
    order = dict.fromkeys(passages[index].text for index in asked.ranked)
    negatives = tuple(text for text in order if text not in positives)
    return Pairs(positives, negatives[: options.negatives])


def record(conversation: Conversation, **more: object) -> dict[str, object]:
    """A conversation as a line of `sft.jsonl`: id, type, what else is said of it, messages."""
    messages = [{"role": turn.role, "content": turn.text} for turn in conversation.turns]
    return {"id": conversation.id, "type": conversation.type, **more, "messages": messages}
