from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.paper import opening, pages
from mozi_engine.paper.passages import split
from mozi_engine.types import Box, Paper, Paragraph, Section, boxes_of
from tests import papers

PRINTED = st.lists(
    st.lists(st.sampled_from(["a", "word", "Graph", "cut-", "x1", "(see", "end."]), min_size=1, max_size=5),
    min_size=1,
    max_size=12,
)


def spread(lines: list[list[str]]) -> Paragraph:
    """A paragraph that goes down a column, on in the next, and over to the next page."""
    places = [(1 + at // 6, 50 + 250 * (at // 3 % 2), 100 + 12 * (at % 3)) for at in range(len(lines))]
    return papers.paragraph(
        *(papers.line(" ".join(words), *place) for words, place in zip(lines, places, strict=True))
    )


def made(paragraph: Paragraph) -> tuple[tuple[pages.Piece, ...], ...]:
    return pages.pages(papers.paper(paragraph, pages=2))


@given(PRINTED, st.data())
def test_the_words_of_every_marked_box_are_found_and_no_others(
    lines: list[list[str]], data: st.DataObject
) -> None:
    paragraph = spread(lines)
    start = data.draw(st.integers(0, len(paragraph.text) - 1))
    end = data.draw(st.integers(start + 1, len(paragraph.text)))
    boxes = boxes_of(paragraph.words, start, end)
    spans = pages.marked(paragraph.words, boxes)
    for word in paragraph.words:
        meant = word.start < end and word.end > start
        assert meant == any(a <= word.start and word.end <= b for a, b in spans)


@given(PRINTED)
def test_every_word_stands_on_its_page_once(lines: list[list[str]]) -> None:
    paragraph = spread(lines)
    printed = made(paragraph)
    assert [word for page in printed for piece in page for word in piece.words] == [*paragraph.words]
    for number, page in enumerate(printed, 1):
        for piece in page:
            assert {word.box.page for word in piece.words} == {number}
            assert all(piece.start <= word.start and word.end <= piece.end for word in piece.words)


@given(PRINTED, st.data())
def test_what_is_written_in_the_paper_is_found_there(lines: list[list[str]], data: st.DataObject) -> None:
    paragraph = spread(lines)
    first = data.draw(st.integers(0, len(paragraph.words) - 1))
    last = data.draw(st.integers(first, len(paragraph.words) - 1))
    span = (paragraph.words[first].start, paragraph.words[last].end)
    found = pages.find(made(paragraph), paragraph.text[slice(*span)])
    assert any(match.start <= span[0] and span[1] <= match.end for match in found) or any(
        match.start < span[1] and match.end > span[0] for match in found
    )
    assert all(found[at].page <= found[at + 1].page for at in range(len(found) - 1))


def test_a_word_cut_at_the_end_of_a_line_is_marked_and_found_whole() -> None:
    paragraph = papers.paragraph(papers.line("we link docu-", y=100), papers.line("ments and words", y=112))
    assert paragraph.text == "we link documents and words"
    second = Box(1, 49, 111, 81, 123)  # over "ments" alone
    assert [paragraph.text[a:b] for a, b in pages.marked(paragraph.words, [second])] == ["ments"]
    [match] = pages.find(made(paragraph), "documents")
    assert paragraph.text[match.start : match.end] == "documents"


def test_a_paragraph_over_two_pages_is_found_across_the_break() -> None:
    paragraph = papers.paragraph(papers.line("the literature", 1), papers.line("graph is large", 2))
    printed = made(paragraph)
    assert [piece.text for page in printed for piece in page] == ["the literature", "graph is large"]
    [match] = pages.find(printed, "literature graph")
    assert (match.page, match.start, match.end) == (1, 4, 20)
    [match] = pages.find(printed, "large")
    assert match.page == 2


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("graph", 3),
        ("Graph", 1),
        ("knowledge graph", 1),
        ("self-attention", 3),
        ("selfattention", 2),
        ("self attention", 1),
        ("'good'", 1),
        ("p.53", 0),
        ("(", 1),
        ("  ", 0),
        ("", 0),
    ],
)
def test_case_spaces_hyphens_and_quotes(query: str, count: int) -> None:
    text = "A Knowledge graph, a graph. Graph: self-attention, selfattention, self attention ‘good’ (p153"
    found = pages.find(made(papers.paragraph(papers.line(text))), query)
    assert len(found) == count


def test_chinese_is_found_whatever_spaces_are_typed() -> None:
    paragraph = papers.paragraph(
        papers.characters("我们研究文献", y=100), papers.characters("图谱的构建。", y=112)
    )
    printed = made(paragraph)
    assert len(pages.find(printed, "文献图谱")) == len(pages.find(printed, "文献 图谱")) == 1


def test_the_title_opens_the_paper_and_references_have_their_heading() -> None:
    body = papers.paragraph(papers.line("we end here", 2))
    cited = papers.paragraph(papers.line("Ammar et al. 2018", 2, y=300))
    appendix = papers.paragraph(papers.line("an appendix", 3))
    first = papers.paragraph(papers.line("we begin", 1))
    paper = Paper("a", "A Title", (Section("", 0, (first, body, appendix)),), (cited,), 3)
    printed = [[piece.text for piece in page] for page in pages.pages(paper)]
    assert printed == [
        ["A Title", "we begin"],
        ["we end here", "References", "Ammar et al. 2018"],
        ["an appendix"],
    ]
    late = replace(cited, words=tuple(replace(w, box=replace(w.box, page=3)) for w in cited.words))
    printed = [
        [piece.text for piece in page] for page in pages.pages(replace(paper, references=(cited, late)))
    ]
    assert printed[2] == ["Ammar et al. 2018", "an appendix"]


def test_a_title_that_is_printed_as_a_heading_is_not_repeated() -> None:
    heading = papers.paragraph(papers.line("A Title"), kind="heading")
    assert [p.text for p in pages.pages(papers.paper(heading, title="A Title"))[0]] == ["A Title"]


@pytest.mark.parametrize("title", ["", "Nothing but a title"])
def test_a_paper_without_text_has_pages_still(title: str) -> None:
    printed = pages.pages(papers.paper(pages=3, title=title))
    assert [len(page) for page in printed] == [1 if title else 0, 0, 0]


def test_every_passage_of_a_real_paper_is_marked_where_it_stands(example_read: Path) -> None:
    paper = opening.read_all(example_read)
    printed = pages.pages(paper)
    assert sum(len(piece.words) for page in printed for piece in page) == sum(
        len(p.words) for p in [*(p for s in paper.sections for p in s.paragraphs), *paper.references]
    )
    for passage in split(paper):
        boxes = passage.boxes()
        marked = {
            word
            for page in printed
            for piece in page
            for start, end in pages.marked(piece.words, boxes)
            for word in papers.placed(
                [w for w in piece.words if start <= w.start < end], piece.paragraph.text
            )
        }
        assert {*papers.placed(passage.words, passage.text)} <= marked
