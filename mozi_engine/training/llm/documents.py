"""The documents of a corpus as rows of tokens, read from its shards when they are asked for.

The documents of a split, each after the base's begin token if it has one, are one stretch, which is cut into
rows of the same size, to a token: the last step is as large as the others. What a row's end cuts off a
document goes on in another row, as a text of its own, after another begin token. So every token of the corpus
stands in one row of an epoch, and in no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mozi_engine.datasets.shards import Shard
from mozi_engine.errors import DataError
from mozi_engine.training.llm.rows import IGNORED, Example, Row

Integers = NDArray[np.int64]


class Documents:
    """Rows of a split, in their order; row n of the split lies between `edges` n and n + 1.

    Nothing is read before a row is asked for, and then that row alone.
    """

    def __init__(
        self, shards: Sequence[Shard], begin: Sequence[int], edges: Integers, order: Integers
    ) -> None:
        self._shards, self._begin, self._edges, self._order = shards, tuple(begin), edges, order
        sizes = np.concatenate([np.diff(each.ends.astype(np.int64), prepend=0) for each in shards])
        self._starts = np.concatenate([[0], np.cumsum(sizes + len(begin))])  # of documents, and the end
        self._firsts = np.cumsum([0, *map(len, shards)])  # documents of the shards

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> Row:
        place = self._order[number]
        start, end = self._edges[place], self._edges[place + 1]
        first = np.searchsorted(self._starts, start, "right")
        last = np.searchsorted(self._starts, end, "left")
        cuts = pairwise([start, *self._starts[first:last], end])
        texts = (self._text(first - 1 + n, *cut) for n, cut in enumerate(cuts))
        return tuple(text for text in texts if len(text.ids) > len(self._begin))

    @property
    def sizes(self) -> Integers:
        """How many tokens of the corpus each row has; begin tokens are not counted."""
        document = np.searchsorted(self._starts, self._edges, "right") - 1
        begun = np.minimum(self._edges - self._starts[document], len(self._begin))
        sizes: Integers = np.diff(self._edges - document * len(self._begin) - begun)[self._order]
        return sizes

    def _text(self, document: np.int64, start: np.int64, end: np.int64) -> Example:
        """What lies there of the document; nothing but its begin token, where a row ends after that."""
        shard = int(np.searchsorted(self._firsts, document, "right")) - 1
        before = self._starts[document] + len(self._begin)
        tokens = self._shards[shard].document(int(document - self._firsts[shard]))
        ids = (*self._begin, *tokens[max(start - before, 0) : max(end - before, 0)].tolist())
        return Example(ids, (IGNORED, *ids[1:]))


def epochs(
    shards: Sequence[Shard], begin: Sequence[int], length: int, step: int, count: int, steps: int, seed: int
) -> Documents:
    """The rows of so many epochs, one after the other, each shuffled in its own way by the seed.

    A row has `length` tokens at the most; an epoch's rows make whole steps of `step` rows. After `steps`
    steps there are no more, unless that is 0. Raises DataError for a split with too few tokens for a step.
    """
    edges = _edges(shards, begin, length, step)
    rows = len(edges) - 1
    wanted = min(count * rows, steps * step) if steps else count * rows
    shuffled = [np.random.default_rng([seed, epoch]).permutation(rows) for epoch in range(-(-wanted // rows))]
    return Documents(shards, begin, edges, np.concatenate(shuffled)[:wanted])


def sample(shards: Sequence[Shard], begin: Sequence[int], length: int, tokens: int, seed: int) -> Documents:
    """Rows of about so many tokens, drawn by the seed; all where that is 0."""
    edges = _edges(shards, begin, length, 1)
    order = np.random.default_rng(seed).permutation(len(edges) - 1)
    return Documents(shards, begin, edges, order[: -(-tokens // length)] if tokens else order)


def _edges(shards: Sequence[Shard], begin: Sequence[int], length: int, step: int) -> Integers:
    total = sum(len(shard.tokens) + len(shard) * len(begin) for shard in shards)
    room = length - len(begin)  # a row that goes on with a document has one more begin token
    rows = -(-total // (room * step)) * step
    if total < 2 * rows:  # a row of one token teaches nothing
        raise DataError(f"{total} tokens are too few for a step of {step} rows", hint="a smaller batch")
    return np.arange(rows + 1, dtype=np.int64) * total // rows
