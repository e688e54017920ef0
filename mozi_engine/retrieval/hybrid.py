"""Words and meaning as one: the chance of each passage to be evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mozi_engine.retrieval import scoring
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense
from mozi_engine.types import Evidence, Passage


class Hybrid:
    """A paper's passages, searchable by their words, their meaning and their place, weighed by `scoring`."""

    def __init__(self, passages: Sequence[Passage], words: Bm25, dense: Dense) -> None:
        self._passages = tuple(passages)
        self._words = words
        self._dense = dense

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` likeliest passages, best first, ties in paper order; scores are their chances."""
        if not self._passages or not query.strip():
            return []
        cosines = self._dense.scores(query).astype(np.float64)
        rows = scoring.features(self._passages, self._words.scores(query), cosines)
        chances = scoring.shipped().chances(rows, cosines, self._words.coverage(query))
        best = np.argsort(-chances, kind="stable")[:k]
        return [
            Evidence(self._passages[i], float(chances[i]), rank, float(chances[i]))
            for rank, i in enumerate(best, start=1)
        ]
