from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.hybrid import Hybrid, fuse
from mozi_engine.types import Evidence, Passage

rankings = st.lists(st.lists(st.integers(0, 20), unique=True, max_size=10), max_size=4)


def passage(index: int, text: str = "") -> Passage:
    return Passage(index, "", text, "text", ())


def ranking(*indexes: int) -> list[Evidence]:
    return [Evidence(passage(i), 1.0 / rank, rank) for rank, i in enumerate(indexes, start=1)]


def order(evidence: list[Evidence]) -> list[int]:
    return [e.passage.index for e in evidence]


def test_a_passage_two_rankings_like_beats_one_that_a_single_ranking_loves() -> None:
    assert order(fuse([ranking(1, 2, 3), ranking(4, 2, 5)]))[0] == 2


def test_scores_are_reciprocal_ranks_summed() -> None:
    best = fuse([ranking(7, 8), ranking(8)], k=60)
    assert order(best) == [8, 7]
    assert best[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert best[1].score == pytest.approx(1 / 61)


def test_ties_keep_the_order_of_the_first_ranking() -> None:
    assert order(fuse([ranking(3, 1), ranking(1, 3)])) == [3, 1]
    assert order(fuse([ranking(5), ranking(2)])) == [5, 2]


def test_nothing_fuses_to_nothing() -> None:
    assert fuse([]) == []
    assert fuse([[], []]) == []


@given(st.lists(st.integers(0, 99), unique=True))
def test_one_ranking_stays_as_it_is(indexes: list[int]) -> None:
    assert order(fuse([ranking(*indexes)])) == indexes


@given(rankings)
def test_every_passage_comes_out_once_ranked_from_1_best_first(indexes: list[list[int]]) -> None:
    fused = fuse([ranking(*each) for each in indexes])
    assert sorted(order(fused)) == sorted({i for each in indexes for i in each})
    assert [e.rank for e in fused] == list(range(1, len(fused) + 1))
    assert [e.score for e in fused] == sorted((e.score for e in fused), reverse=True)


def test_hybrid_asks_every_retriever_and_gives_k() -> None:
    passages = [passage(0, "graph parsing"), passage(1, "parsing"), passage(2, "entity linking of graphs")]
    hybrid = Hybrid([Bm25(passages), Bm25(passages)])
    assert order(hybrid.search("entity linking", 1)) == [2]
    assert len(hybrid.search("graph parsing linking", 2)) == 2
    assert hybrid.search("", 2) == []
    assert hybrid.search("graph", 0) == []
