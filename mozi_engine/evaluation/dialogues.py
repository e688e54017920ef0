"""Replies in support dialogues, held against what a person replied there.

DATA is what `mozi prepare dialogues` writes: lines of `{"id", "messages": [{"role", "content"}, …]}`. Every
reply of the assistant's is an item, asked with what was said before it. A good reply need not be alike: BLEU
and ROUGE tell models apart only roughly, length and distinct n-grams tell how they talk. Intervals are over
dialogues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np

from mozi_engine.errors import DataError
from mozi_engine.evaluation import metrics, overlap, runs
from mozi_engine.evaluation.bootstrap import Measure, Score, mean
from mozi_engine.evaluation.report import Table
from mozi_engine.types import Progress, Role, Turn

Respond = Callable[[str, Sequence[Turn]], str]  # a message, what was said before it -> the reply


@dataclass(frozen=True, slots=True)
class Item:
    """One reply: its dialogue, what was said before, the message it answers, and the reply as it was."""

    id: str
    dialogue: str
    history: tuple[Turn, ...]
    message: str
    reference: str


class Teller(Protocol):
    """What the perplexity of a reply asks of a model."""

    def conversation(self, turns: Sequence[Turn]) -> list[int]:
        """The tokens of a conversation, up to where the next reply begins."""
        ...

    def tokens(self, text: str) -> list[int]:
        """The text's token ids."""
        ...

    def nats(self, tokens: Sequence[int], known: int = 1) -> float:
        """The negative log likelihood of all tokens after the first `known`, summed."""
        ...


def read(path: Path) -> list[Item]:
    """Every reply that answers a message, in order. Raises DataError for a line of another form."""
    hint = "give what mozi prepare dialogues wrote: test/sft.jsonl"
    found: list[Item] = []
    for number, line in enumerate(runs.lines(path, hint), start=1):
        try:
            found += _items(line)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {number} is no dialogue", hint=hint) from error
    if not found:
        raise DataError(f"{path} has no reply in it", hint=hint)
    return found


def _items(record: Mapping[str, Any]) -> Iterator[Item]:
    turns = [_turn(message) for message in record["messages"]]
    dialogue = str(record["id"])
    for place, (before, turn) in enumerate(pairwise(turns), start=1):
        if (before.role, turn.role) == ("user", "assistant"):
            history = tuple(turns[: place - 1])
            yield Item(f"{dialogue}.{place}", dialogue, history, before.text, turn.text)


def _turn(message: Mapping[str, Any]) -> Turn:
    role, text = message["role"], message["content"]
    if role not in get_args(Role) or not isinstance(text, str):
        raise ValueError(message)
    return Turn(role, text)


def sample(items: Sequence[Item], limit: int, seed: int) -> list[Item]:
    """The dialogues in the seed's order, with the first `limit` of their replies; all where it is 0."""
    dialogues: dict[str, list[Item]] = {}
    for item in items:
        dialogues.setdefault(item.dialogue, []).append(item)
    names = list(dialogues)
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    found = [item for name in order for item in dialogues[name]]
    return found[: limit or len(found)]


def reply(items: Sequence[Item], respond: Respond, folder: Path) -> Iterator[Progress]:
    """Reply to every message that `replies.jsonl` in the folder has no reply to, and write it there.

    Raises DataError when the folder cannot be written to or holds something else.
    """
    path = folder / "replies.jsonl"
    known = replies(folder)
    left = [item for item in items if item.id not in known]
    runs.trim(path)
    for done, item in enumerate(left, start=1):
        runs.append(path, {"id": item.id, "reply": respond(item.message, item.history)})
        yield Progress("replying", done, len(left), "replies")


def replies(folder: Path) -> dict[str, str]:
    """The replies of a run, by item. Raises DataError when they are something else."""
    path = folder / "replies.jsonl"
    found = {}
    for number, line in enumerate(runs.written(path), start=1):
        item, text = line.get("id"), line.get("reply")
        if not (isinstance(item, str) and isinstance(text, str)):
            raise DataError(f"{path}, line {number} is no reply", hint="name a new folder")
        found[item] = text
    return found


def table(items: Sequence[Item], said: Mapping[str, str]) -> Table:
    """BLEU and ROUGE-L against the reference, length, and distinct-1 and -2; no reply counts as an empty one.

    Lengths are in words; a Chinese sign is one. distinct-n is of all replies together (Li et al., 2016), for
    which no interval is right: what is drawn twice is never distinct.
    """
    texts = {item.id: said.get(item.id, "") for item in items}
    ours = {item.id: overlap.words(texts[item.id]) for item in items}
    theirs = {item.id: overlap.words(item.reference) for item in items}
    measures = (
        mean("BLEU", {item.id: overlap.bleu(texts[item.id], [item.reference]) for item in items}),
        mean("ROUGE-L", {i.id: overlap.rouge(texts[i.id], [i.reference], "rougeL") for i in items}),
        mean("length, words", {key: float(len(words)) for key, words in ours.items()}, "number"),
        mean("length of the reference", {key: float(len(w)) for key, w in theirs.items()}, "number"),
    )
    plain = [
        Score(f"distinct-{n}{whose}", metrics.distinct(list(words.values()), n), None, len(items))
        for words, whose in ((ours, ""), (theirs, " of the reference"))
        for n in (1, 2)
    ]
    missing = sum(item.id not in said for item in items)
    notes = (f"{missing} of {len(items)} messages have no reply and count as an empty one",)
    return Table("replies", measures, clusters(items), tuple(plain), notes if missing else ())


def clusters(items: Sequence[Item]) -> dict[str, str]:
    """The dialogue of every item."""
    return {item.id: item.dialogue for item in items}


def perplexity(name: str, items: Sequence[Item], model: Teller) -> Iterator[Progress | Table]:
    """Progress for every item, then the table: how likely the model finds the references where they stand."""
    rows = {}
    for done, item in enumerate(items, start=1):
        before = model.conversation([*item.history, Turn("user", item.message)])
        told = model.tokens(item.reference)
        rows[item.id] = (model.nats([*before, *told], known=len(before)), float(len(told)))
        yield Progress(name, done, len(items), "replies")
    measure = Measure("perplexity of the reference", rows, "perplexity", "number")
    yield Table(name, (measure,), clusters(items))
