from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Vectors
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.types import Evidence, Passage

TEXTS = ["graph parsing", "parsing", "entity linking of graphs", "entities are linked", "we thank reviewers"]
VOCABULARY = sorted({word for text in TEXTS for word in text.split()})


class Letters:
    """An encoder by letters: texts that share many are near."""

    def encode(self, texts: Sequence[str], /) -> Vectors:
        counts = np.array(
            [[text.count(letter) + 1e-3 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        )
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


def hybrid(texts: Sequence[str] = TEXTS) -> Hybrid:
    passages = [Passage(i, "", text, "text", ()) for i, text in enumerate(texts)]
    vectors = Letters().encode(texts) if texts else np.zeros((0, 26), np.float32)
    return Hybrid(passages, Bm25(passages), Dense(passages, vectors, Letters()))


def order(evidence: list[Evidence]) -> list[int]:
    return [e.passage.index for e in evidence]


def test_what_shares_words_and_meaning_comes_first() -> None:
    assert order(hybrid().search("entity linking", 1)) == [2]


def test_nothing_is_found_in_nothing_or_for_nothing() -> None:
    assert hybrid([]).search("graph", 3) == []
    assert hybrid().search("  ", 3) == []
    assert hybrid().search("graph", 0) == []


@given(st.lists(st.sampled_from(VOCABULARY), min_size=1).map(" ".join), st.integers(0, 9))
def test_every_passage_comes_out_once_ranked_from_1_best_first(query: str, k: int) -> None:
    found = hybrid().search(query, k)
    assert len(found) == len({*order(found)}) == min(k, len(TEXTS))
    assert [e.rank for e in found] == list(range(1, len(found) + 1))
    assert [e.score for e in found] == sorted((e.score for e in found), reverse=True)
    assert all(e.chance is not None and 0 < e.chance < 1 for e in found)
