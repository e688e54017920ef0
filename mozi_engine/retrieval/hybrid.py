"""Several retrievers as one, by the ranks they give."""

from __future__ import annotations

from collections.abc import Sequence

from mozi_engine.types import Evidence, Passage, Retriever

_DEPTH = 50  # how far down a ranking a passage still has a say: 1 / (60 + 50) of one vote


def fuse(rankings: Sequence[Sequence[Evidence]], k: int = 60) -> list[Evidence]:
    """Reciprocal rank fusion (Cormack et al., 2009), best first. Ties keep the order of the first ranking.

    A passage scores the sum of 1 / (k + rank) over the rankings that hold it. Passages are told apart
    by their index, so all rankings must be of one paper.
    """
    scores: dict[int, float] = {}
    passages: dict[int, Passage] = {}
    for ranking in rankings:
        for evidence in ranking:
            index = evidence.passage.index
            passages.setdefault(index, evidence.passage)
            scores[index] = scores.get(index, 0.0) + 1 / (k + evidence.rank)
    best = sorted(scores, key=lambda index: -scores[index])
    return [Evidence(passages[index], scores[index], rank) for rank, index in enumerate(best, start=1)]


class Hybrid:
    """Asks several retrievers over the same passages, and fuses what they say."""

    def __init__(self, retrievers: Sequence[Retriever]) -> None:
        self._retrievers = tuple(retrievers)

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` best passages by reciprocal rank fusion, best first; scores are the fused ones."""
        depth = max(k, _DEPTH)
        return fuse([retriever.search(query, depth) for retriever in self._retrievers])[:k]
