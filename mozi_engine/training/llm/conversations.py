"""Conversations as tokens to learn from, packed into rows whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from mozi_engine.errors import DataError
from mozi_engine.generation import template
from mozi_engine.training.llm.rows import IGNORED, Example, Row
from mozi_engine.types import Role, Turn

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation whose last turn is the answer, and where it stands."""

    place: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """What conversations became: `cut` lost their ends, `lost` their whole answers, and are left out."""

    items: tuple[Example, ...]
    cut: int
    lost: int

    @property
    def targets(self) -> int:
        """How many tokens are learned, of all."""
        return sum(example.targets for example in self.items)


def read(paths: Iterable[str]) -> Iterator[Conversation]:
    """The conversations of `sft.jsonl` files, one a line: `{"messages": [{"role", "content"}, …]}`.

    Raises DataError, which names the line, for a file or a line that is something else.
    """
    for path in paths:
        try:
            with Path(path).open(encoding="utf-8") as file:
                for number, line in enumerate(file, start=1):
                    yield _conversation(f"{path}, line {number}", line)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {error}", hint="mozi prepare makes sft.jsonl") from error


def _conversation(place: str, line: str) -> Conversation:
    try:
        messages = json.loads(line)["messages"]
        turns = tuple(Turn(_ROLES[each["role"]], str(each["content"])) for each in messages)
        if turns[-1].role != "assistant" or not turns[-1].text.strip():
            raise ValueError("the last message is no answer")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{place} is no conversation: {error!r}", hint="mozi prepare makes files of them"
        ) from error
    return Conversation(place, turns)


def examples(
    conversations: Iterable[Conversation], tokenizer: Any, length: int, *, all_turns: bool = False
) -> Examples:
    """Each conversation as the tokenizer's chat template writes it, cut to `length` tokens.

    What the assistant says is learned, up to the token that ends it; with `all_turns`, everything, as the
    original Mozi did. Raises DataError for a template that does not end an answer with the end token.
    """
    items, cut, lost = [], 0, 0
    for conversation in conversations:
        whole = _example(conversation, tokenizer, all_turns=all_turns)
        short = Example(whole.ids[:length], whole.labels[:length])
        if short.targets:
            items.append(short)
            cut += len(whole.ids) > length
        else:
            lost += 1
    return Examples(tuple(items), cut, lost)


def _example(conversation: Conversation, tokenizer: Any, *, all_turns: bool) -> Example:
    ids: list[int] = []
    labels: list[int] = []
    written = ""
    for number, turn in enumerate(conversation.turns):
        if turn.role != "assistant":
            continue
        before = template.render(tokenizer, conversation.turns[:number])
        after = template.render(tokenizer, conversation.turns[: number + 1], asking=False)
        if not (before.startswith(written) and after.startswith(before)):
            hint = "this template rewrites earlier turns: train it on single questions and answers"
            raise DataError(f"{conversation.place}: the chat template does not append", hint=hint)
        asked = template.ids(tokenizer, before[len(written) :])
        said, rest = _ended(template.ids(tokenizer, after[len(before) :]), tokenizer, conversation)
        ids += [*asked, *said, *rest]
        labels += [*(asked if all_turns else [IGNORED] * len(asked)), *said, *[IGNORED] * len(rest)]
        written = after
    labels[:1] = [IGNORED]
    return Example(tuple(ids), tuple(labels))


def _ended(
    answer: list[int], tokenizer: Any, conversation: Conversation
) -> tuple[Sequence[int], Sequence[int]]:
    """The answer through its end token, and what the template writes after it."""
    end = tokenizer.eos_token_id
    if end not in answer:
        raise DataError(
            f"{conversation.place}: the chat template ends no answer with {tokenizer.eos_token!r}",
            hint="set eos_token in tokenizer_config.json to the token that does, or a model never stops",
        )
    last = len(answer) - answer[::-1].index(end)
    return answer[:last], answer[last:]


def digest(rows: Iterable[Row]) -> str:
    """A sha256 that tells the rows, in their order, from any others."""
    made = hashlib.sha256()
    for row in rows:
        made.update(json.dumps([(example.ids, example.labels) for example in row]).encode())
    return made.hexdigest()


def packed(examples: Sequence[Example], length: int, seed: int) -> list[Row]:
    """Rows of whole examples, together `length` tokens at the most: first fit, longest first; shuffled."""
    order = list(examples)
    Random(seed).shuffle(order)  # noqa: S311  among the equally long
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in sorted(order, key=lambda each: -len(each.ids)):
        place = next((i for i, free in enumerate(room) if free >= len(example.ids)), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(length)
        rows[place].append(example)
        room[place] -= len(example.ids)
    Random(seed).shuffle(rows)  # noqa: S311
    return [tuple(row) for row in rows]


def epochs(examples: Sequence[Example], length: int, count: int, seed: int, *, pack: bool) -> list[Row]:
    """The rows of so many epochs, one after the other, each shuffled in its own way by the seed."""
    rows: list[Row] = []
    for epoch in range(count):
        if pack:
            rows += packed(examples, length, seed + epoch)
        else:
            rows += Random(seed + epoch).sample([(each,) for each in examples], len(examples))  # noqa: S311
    return rows
