"""Passages: what a person sees as evidence, with every word in its place."""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.paper.passages import opening, split
from mozi_engine.sentences import sentences
from mozi_engine.types import Box, Kind, Paper, Paragraph, Section, Word


def paragraph(text: str, kind: Kind = "text", page: int = 1) -> Paragraph:
    words, at = [], 0
    for word in text.replace("|", " ").split():
        start = text.index(word, at)
        at = start + len(word)
        words.append(Word(start, at, Box(page, start, 0, at, 10)))
    return Paragraph(text, kind, tuple(words))


def paper(*sections: tuple[str, Sequence[Paragraph]]) -> Paper:
    made = tuple(Section(title, 1, tuple(paragraphs)) for title, paragraphs in sections)
    return Paper("id", "A title", made, (paragraph("Someone. 2020. A cited work."),), 1)


LONG = " ".join(f"Sentence number {n} says something of its own." for n in range(60))


def test_a_passage_is_a_paragraph_under_its_section_and_a_heading_is_none() -> None:
    body = [paragraph("1 Methods", "heading"), paragraph("We did this. " * 8), paragraph("We did that. " * 8)]
    found = split(paper(("1 Methods", body)))
    assert [(p.index, p.section, p.kind) for p in found] == [
        (0, "1 Methods", "text"),
        (1, "1 Methods", "text"),
    ]
    assert found[0].text.startswith("We did this.")


def test_references_are_not_searched() -> None:
    assert not any("cited work" in p.text for p in split(paper(("1 A", [paragraph("Body text. " * 9)]))))


def test_a_long_paragraph_is_cut_between_sentences_into_even_pieces() -> None:
    found = split(paper(("S", [paragraph(LONG)])), max_words=100)
    sizes = [len(p.words) for p in found]
    assert all(p.text.endswith(".") and p.text.startswith("Sentence") for p in found)
    assert max(sizes) <= 100
    assert min(sizes) > 60
    assert " ".join(p.text for p in found) == LONG


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    found = split(paper(("S", [paragraph("word " * 500)])), max_words=100)
    assert [len(p.words) for p in found] == [100] * 5


def test_a_list_stays_with_the_sentence_that_announces_it() -> None:
    items = [paragraph(f"item {n} of the list", "list") for n in range(4)]
    found = split(paper(("S", [paragraph("We ask three questions of every paper we read:"), *items])))
    assert len(found) == 1
    assert found[0].text.splitlines()[1:] == [i.text for i in items]


def test_an_equation_stays_with_the_text_around_it() -> None:
    around = [
        paragraph("The loss is " * 7),
        paragraph("L = a + b", "equation"),
        paragraph("where a is b. " * 5),
    ]
    assert [p.kind for p in split(paper(("S", around)))] == ["text"]


def test_a_table_keeps_its_rows_and_its_caption() -> None:
    rows = paragraph("Model | F1\nOurs | 54.1", "table")
    found = split(paper(("S", [rows, paragraph("Table 1: Results.", "caption"), paragraph("Then we " * 9)])))
    assert [p.kind for p in found] == ["table", "text"]
    assert found[0].text == "Model | F1\nOurs | 54.1\nTable 1: Results."


def test_the_opening_is_the_abstract_as_far_as_it_is_short() -> None:
    lines = [paragraph(f"Line {n}: {'of many words ' * 35}") for n in range(4)]
    passages = split(paper(("ABSTRACT", lines), ("1 Introduction", lines)))
    assert opening(passages) == passages[:2]
    assert opening(split(paper(("1 Introduction", lines)))) == ()


def test_sections_do_not_share_a_passage() -> None:
    found = split(paper(("A", [paragraph("Short.")]), ("B", [paragraph("Short too.")])))
    assert [p.section for p in found] == ["A", "B"]


KINDS = st.sampled_from(["text", "list", "equation", "table", "caption", "footnote", "heading"])
WORDS = st.text(st.sampled_from(string.ascii_letters + ".,;!?2模型。"), min_size=1, max_size=9)
PARAGRAPHS = st.builds(paragraph, st.lists(WORDS, max_size=60).map(" ".join), KINDS)


@given(st.lists(PARAGRAPHS, max_size=8), st.integers(5, 40))
def test_every_word_of_the_body_is_in_one_passage_and_in_its_place(body: list[Paragraph], most: int) -> None:
    found = split(paper(("S", body)), max_words=most)
    kept = [p.text[w.start : w.end] for p in found for w in p.words]
    assert kept == [p.text[w.start : w.end] for p in body if p.kind != "heading" for w in p.words]
    assert [p.index for p in found] == list(range(len(found)))
    assert all(p.text == p.text.strip() for p in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We follow Lee et al. (2017). It works.", ["We follow Lee et al. (2017).", "It works."]),
        ("See Fig. 3 for this. See Sec. 2.", ["See Fig. 3 for this.", "See Sec. 2."]),
        ("Some, e.g. BERT, gain 3.5 points. None lose.", ["Some, e.g. BERT, gain 3.5 points.", "None lose."]),
        ("By J. R. Smith and D. Weld. We ask.", ["By J. R. Smith and D. Weld.", "We ask."]),
        ('He said "no." Then he left!  Why?', ['He said "no."', "Then he left!", "Why?"]),
        ("1. Random vectors were used. 2. They fail.", ["1. Random vectors were used.", "2. They fail."]),
        ("模型很好。真的吗？是的！", ["模型很好。", "真的吗？", "是的！"]),
        ("標準モデルは「2次元」だ。説明する", ["標準モデルは「2次元」だ。", "説明する"]),
        ("Field | F1\ntitle | 85.5", ["Field | F1", "title | 85.5"]),
        ("no end", ["no end"]),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == expected


@given(st.text(st.sampled_from("aA1 .!?。\n\"')et al.Fig"), max_size=80))
def test_sentences_cover_all_that_is_printed_in_order(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(text[a:b].split()) for a, b in found) == "".join(text.split())
    assert all(a < b for a, b in found)
    assert all(one[1] <= two[0] for one, two in pairwise(found))
