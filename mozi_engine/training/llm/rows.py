"""What a causal language model learns from: rows of tokens, each of several texts side by side.

The positions of each text begin at 0, by which transformers keeps it apart from the others in attention; the
first token of each is never a target, so that none is predicted from another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100  # a label that is no target, to torch's cross entropy

# oneDNN compiles each product of matrices anew for each width, which takes time, and keeps the last 1,024 of
# them, which takes gigabytes; in rows of few widths they are found again (docs/results/memory.md).
_MULTIPLE = 64  # tokens


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of one text; `labels` are the same where the model is to learn them, else IGNORED."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def targets(self) -> int:
        """How many tokens are learned."""
        return sum(label != IGNORED for label in self.labels)


Row = tuple[Example, ...]


class Rows(Protocol):
    """Rows in their order, made already or when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Row: ...


def tokens(row: Row) -> int:
    """How many a row has."""
    return sum(len(example.ids) for example in row)


def batch(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Rows as tensors (rows, tokens), filled up at the end: input_ids, position_ids, labels.

    What they are filled with follows the last text as more of it would, so that no mask is needed: nothing
    before it attends to it. Their width is a multiple of 64.

    `logits_to_keep` is true where the next token is learned: transformers computes logits there alone, and
    answers are a few tokens of a paper's hundreds. `shift_labels` are those next tokens (learned).
    """
    width = _MULTIPLE * math.ceil(max(map(tokens, rows)) / _MULTIPLE)
    columns: dict[str, list[list[int]]] = {"input_ids": [], "position_ids": [], "labels": []}
    for row in rows:
        *before, last = row
        free = width - tokens(row)
        filled = (*before, Example(last.ids + (0,) * free, last.labels + (IGNORED,) * free))
        columns["input_ids"].append([token for example in filled for token in example.ids])
        columns["position_ids"].append([place for example in filled for place in range(len(example.ids))])
        columns["labels"].append([label for example in filled for label in example.labels])
    tensors = {name: torch.tensor(values) for name, values in columns.items()}
    following = functional.pad(tensors["labels"], (0, 1), value=IGNORED)[:, 1:]
    kept = following != IGNORED
    return tensors | {"logits_to_keep": kept, "shift_labels": following[kept]}
