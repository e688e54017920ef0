from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.retrieval.bm25 import Bm25, terms
from mozi_engine.types import Passage

words = st.sampled_from(["model", "corpus", "graph", "entity", "author", "query", "parser", "token"])
texts = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=8)


def passages(*texts: str, section: str = "") -> list[Passage]:
    return [Passage(i, section, text, "text", ()) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The model's Datasets", ["the", "model", "dataset"]),
        ("queries bias class", ["query", "bia", "class"]),
        ("BERT-base", ["bertbase", "bert", "base"]),
        ("pre\u2010training and pretraining", ["pretraining", "pre", "training", "and", "pretraining"]),
        ("F1 of 0.75, 1,024 tokens", ["f1", "of", "0.75", "1024", "token"]),
        ("ﬁne ｆｕｌｌ", ["fine", "full"]),
        ("don’t", ["dont"]),
        ("检索证据", ["检索", "索证", "证据"]),
        ("词", ["词"]),
        ("データベース", ["デー", "ータ", "タベ", "ベー", "ース"]),
        ("用BERT模型", ["用", "bert", "模型"]),
        ("naïve Müller Ελλάδα", ["naïve", "müller", "ελλάδα"]),
        ("… -- _ '", []),
        ("", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@given(st.text())
def test_terms_of_any_text_are_non_empty_and_free_of_space(text: str) -> None:
    assert all(term and not term.isspace() for term in terms(text))


@given(st.text(alphabet="abcdefgs-' \u4e00\u4e8c"))
def test_terms_do_not_depend_on_case(text: str) -> None:
    assert terms(text.upper()) == terms(text)


def test_finds_the_passage_that_shares_the_rare_words() -> None:
    bm25 = Bm25(passages("We parse the text.", "Annotators agreed at 0.81 kappa.", "The text is long."))
    best = bm25.search("What was the kappa of the annotators?", 2)
    assert [e.passage.index for e in best] == [1]
    assert best[0].rank == 1
    assert best[0].score > 0


def test_a_chinese_question_finds_the_chinese_passage() -> None:
    bm25 = Bm25(passages("我们提出一种检索方法。", "实验在三个数据集上进行。", "相关工作。"))
    assert bm25.search("用了哪些数据集？", 1)[0].passage.index == 1


def test_the_title_of_the_section_counts() -> None:
    there = Passage(0, "Limitations", "It is slow.", "text", ())
    bm25 = Bm25([Passage(1, "Method", "It is fast.", "text", ()), there])
    assert bm25.search("What are the limitations?", 1)[0].passage is there


def test_the_words_a_question_is_asked_with_count_only_when_there_are_no_others() -> None:
    bm25 = Bm25(passages("how and why", "a graph"))
    assert [e.passage.index for e in bm25.search("how is the graph used", 5)] == [1]
    assert [e.passage.index for e in bm25.search("how", 5)] == [0]


@pytest.mark.parametrize("corpus", [(), ("",), ("", "..."), ("one",), ("same words", "same words")])
def test_tiny_corpora_work(corpus: tuple[str, ...]) -> None:
    bm25 = Bm25(passages(*corpus))
    assert len(bm25.scores("one")) == len(corpus)
    assert bm25.search("", 3) == []
    assert bm25.search("?!", 3) == []
    assert all(score >= 0 for score in bm25.scores("one same"))


def test_a_word_of_every_passage_still_counts() -> None:
    bm25 = Bm25(passages("graph", "graph graph", "graph parser"))
    assert len(bm25.search("graph", 3)) == 3


@given(texts, st.lists(words).map(" ".join), st.randoms(use_true_random=False))
def test_the_order_of_passages_does_not_change_scores(
    corpus: list[str], query: str, shuffler: random.Random
) -> None:
    places = list(range(len(corpus)))
    shuffler.shuffle(places)
    straight = Bm25(passages(*corpus)).scores(query)
    shuffled = Bm25(passages(*(corpus[i] for i in places))).scores(query)
    assert [straight[i] for i in places] == list(shuffled)


@given(texts, st.lists(words).map(" ".join), st.integers(0, 9))
def test_a_search_is_ordered_by_score_then_by_place(corpus: list[str], query: str, k: int) -> None:
    best = Bm25(passages(*corpus)).search(query, k)
    keys = [(-e.score, e.passage.index) for e in best]
    assert keys == sorted(keys)
    assert [e.rank for e in best] == list(range(1, len(best) + 1))
    assert len(best) <= k


@given(st.sets(st.frozensets(words, min_size=4, max_size=4), min_size=1, max_size=8), st.data())
def test_a_passage_of_distinct_words_is_the_best_answer_to_itself(
    corpus: set[frozenset[str]], data: st.DataObject
) -> None:
    written = [" ".join(sorted(each)) for each in corpus]
    asked = data.draw(st.integers(0, len(written) - 1))
    assert Bm25(passages(*written)).search(written[asked], 1)[0].passage.index == asked


def test_coverage_is_the_share_of_what_is_asked_about() -> None:
    index = Bm25([Passage(0, "", "a graph of papers", "text", ()), Passage(1, "", "we thank", "text", ())])
    assert index.coverage("How many papers are in the graph?").tolist() == [2 / 3, 0]
    assert index.coverage("").tolist() == [0, 0]
    assert Bm25([]).coverage("graph").shape == (0,)
