"""The documents of a corpus as rows of tokens, read from its shards when they are asked for.

The documents of a split are one stretch of tokens, which is cut into rows of the same size, to a token: the
last step is as large as the others. What a row's end cuts off a document goes on in another row, as a text of
its own. So every token stands in one row of an epoch, and in no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mozi_engine.datasets.shards import Shard
from mozi_engine.errors import DataError
from mozi_engine.training.rows import IGNORED, Example, Row

Integers = NDArray[np.int64]


class Documents:
    """Rows of a split, in their order; row n of the split lies between the `edges` n and n + 1, in tokens.

    Nothing is read before a row is asked for, and then that row alone.
    """

    def __init__(self, shards: Sequence[Shard], edges: Integers, order: Integers) -> None:
        self._shards, self._edges, self._order = shards, edges, order
        self._starts = np.cumsum([0, *(len(shard.tokens) for shard in shards)])
        starts = self._starts[:-1]
        self._ends = np.concatenate(
            [each.ends.astype(np.int64) + start for each, start in zip(shards, starts, strict=True)]
        )

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> Row:
        place = self._order[number]
        start, end = self._edges[place], self._edges[place + 1]
        first = np.searchsorted(self._ends, start, "right")
        last = np.searchsorted(self._ends, end, "left")
        return tuple(self._text(*cut) for cut in pairwise([start, *self._ends[first:last], end]))

    @property
    def sizes(self) -> Integers:
        """How many tokens each row has."""
        sizes: Integers = np.diff(self._edges)[self._order]
        return sizes

    def _text(self, start: np.int64, end: np.int64) -> Example:
        """What lies there of one document; a document lies in one shard."""
        shard = int(np.searchsorted(self._starts, start, "right")) - 1
        skipped = self._starts[shard]
        ids = self._shards[shard].tokens[start - skipped : end - skipped].tolist()
        return Example(tuple(ids), (IGNORED, *ids[1:]))


def epochs(shards: Sequence[Shard], length: int, step: int, count: int, steps: int, seed: int) -> Documents:
    """The rows of so many epochs, one after the other, each shuffled in its own way by the seed.

    A row has `length` tokens at the most; an epoch's rows make whole steps of `step` rows. After `steps`
    steps there are no more, unless that is 0. Raises DataError for a split with too few tokens for a step.
    """
    edges = _edges(shards, length, step)
    rows = len(edges) - 1
    wanted = min(count * rows, steps * step) if steps else count * rows
    shuffled = [np.random.default_rng([seed, epoch]).permutation(rows) for epoch in range(-(-wanted // rows))]
    return Documents(shards, edges, np.concatenate(shuffled)[:wanted])


def sample(shards: Sequence[Shard], length: int, tokens: int, seed: int) -> Documents:
    """Rows of about so many tokens, drawn by the seed; all where that is 0."""
    edges = _edges(shards, length, 1)
    order = np.random.default_rng(seed).permutation(len(edges) - 1)
    return Documents(shards, edges, order[: -(-tokens // length)] if tokens else order)


def _edges(shards: Sequence[Shard], length: int, step: int) -> Integers:
    total = sum(len(shard.tokens) for shard in shards)
    rows = -(-total // (length * step)) * step
    if total < 2 * rows:  # a row of one token teaches nothing
        raise DataError(f"{total} tokens are too few for a step of {step} rows", hint="a smaller batch")
    return np.arange(rows + 1, dtype=np.int64) * total // rows
