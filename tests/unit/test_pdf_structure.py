"""From words on a page to running text: order, hyphens, tables, sections. No PDF is opened here."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.paper import codec
from mozi_engine.paper.assembling import assemble
from mozi_engine.paper.joining import hyphenated, paragraph, vocabulary
from mozi_engine.paper.order import reading_order
from mozi_engine.paper.page import Line, PageText, Printed, Region, Role, clean, garbled, hull
from mozi_engine.paper.regions import LayoutBox, by_blocks, by_layout
from mozi_engine.types import Box, Paper, Paragraph, Section, Word


def line(text: str, x: float = 72, y: float = 100, size: float = 10, page: int = 1, block: int = 0) -> Line:
    words, at = [], x
    for word in text.split():
        width = 0.5 * size * len(word)
        words.append(Printed(word, Box(page, at, y, at + width, y + size)))
        at += width + 0.25 * size
    return Line(tuple(words), size, bold=False, block=block)


def region(role: Role, *lines: Line) -> Region:
    return Region(role, hull(one.box for one in lines), lines)


def box(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box(1, x0, y0, x1, y1)


def test_two_columns_are_read_one_after_the_other_under_their_title() -> None:
    title, left, left2, right, right2 = (
        box(100, 50, 500, 70),
        box(70, 100, 290, 300),
        box(70, 310, 290, 700),
        box(310, 100, 530, 250),
        box(310, 260, 530, 700),
    )
    assert reading_order([right2, left2, title, right, left]) == [2, 4, 1, 3, 0]


def test_a_figure_across_the_page_is_read_between_what_is_above_and_below() -> None:
    top_left, top_right = box(70, 50, 290, 200), box(310, 50, 530, 200)
    wide, low_left, low_right = box(70, 210, 530, 400), box(70, 410, 290, 700), box(310, 410, 530, 700)
    assert reading_order([low_right, low_left, wide, top_right, top_left]) == [4, 3, 2, 1, 0]


def test_a_centred_heading_is_read_before_the_narrow_one_below_it() -> None:
    chapter, section, text = box(256, 99, 340, 112), box(90, 135, 165, 146), box(90, 167, 514, 295)
    assert reading_order([text, section, chapter]) == [2, 1, 0]


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(1, 300)] * 2), max_size=25))
def test_every_box_is_read_once(places: list[tuple[int, int, int, int]]) -> None:
    boxes = [box(x, y, x + w, y + h) for x, y, w, h in places]
    assert sorted(reading_order(boxes)) == list(range(len(boxes)))


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ("discov", "ery", True),
        ("cross", "document", False),
        ("state-of-the", "art", False),
        ("entity", "linking", False),
        ("med", "line", True),
        ("BERT", "Large", False),
        ("GPT", "4", False),
        ("https://a.org/some", "where", False),
    ],
)
def test_the_paper_decides_which_hyphens_are_real(before: str, after: str, broken: bool) -> None:
    known = frozenset(["discovery", "entity", "linking", "medline"])
    assert hyphenated(before, after, known) is broken


def test_a_hyphenated_word_is_two_words_and_the_hyphen_is_gone() -> None:
    joined = paragraph("text", [line("manipulation and discov-"), line("ery of papers", y=112)], ())
    assert joined.text == "manipulation and discovery of papers"
    assert [joined.text[w.start : w.end] for w in joined.words][2:4] == ["discov", "ery"]
    assert joined.words[2].box.y0 != joined.words[3].box.y0


def test_an_address_goes_on_in_the_next_line_and_chinese_has_no_spaces() -> None:
    assert paragraph("text", [line("see http://"), line("allenai.org")], ()).text == "see http://allenai.org"
    assert paragraph("text", [line("模型"), line("很好")], ()).text == "模型很好"


LINES = st.lists(
    st.text(st.sampled_from("abcABC-–/:.模 "), min_size=1).filter(str.strip).map(line), max_size=6
)


@given(LINES)
def test_joined_text_is_what_is_printed_hyphens_at_line_ends_aside(lines: list[Line]) -> None:
    joined = paragraph("text", lines, vocabulary(lines))
    printed = [word.text for one in lines for word in one.words]
    for word, original in zip(joined.words, printed, strict=True):
        assert joined.text[word.start : word.end] in (original, original[:-1])
    assert all(a.end <= b.start for a, b in pairwise(joined.words))


def test_words_are_cleaned_of_ligatures_loose_accents_and_control_characters() -> None:
    assert [clean(w) for w in ("Artiﬁcial", "Erd˝os", "Downey,\x8e", "\x0f", "plain")] == [
        "Artificial",
        "Erdős",
        "Downey,",
        "",
        "plain",
    ]


def test_a_table_is_cut_by_its_cells_and_by_wide_gaps() -> None:
    lines = (line("Model", x=72), line("F1", x=150), line("Ours 84.2 88.4", x=72, y=112))
    layout = LayoutBox("table", box(70, 98, 200, 125))
    page = PageText(1, 600, 800, lines)
    paper = assemble("id", [by_layout(page, [layout], 10)])
    assert paper.sections[0].paragraphs[0].text == "Model | F1\nOurs 84.2 | 88.4"


def test_words_outside_every_box_are_kept_and_those_at_the_edge_are_not() -> None:
    page = PageText(1, 600, 800, (line("A running head", y=20), line("Forgotten words.", y=300, block=1)))
    assert [(r.role, r.text) for r in by_layout(page, [], 10)] == [
        ("margin", "A running head"),
        ("text", "Forgotten words."),
    ]


def test_a_paragraph_goes_on_over_a_page_break_past_footnotes_and_captions() -> None:
    first = [
        region("heading", line("1 Introduction")),
        region("text", line("It goes on with", y=700)),
        region("footnote", line("1 A note.", y=750)),
    ]
    second = [
        region("caption", line("Figure 1: A graph.", page=2)),
        region("text", line("words in lower case.", y=120, page=2)),
    ]
    (section,) = assemble("id", [first, second]).sections
    assert [(p.kind, p.text) for p in section.paragraphs] == [
        ("heading", "1 Introduction"),
        ("text", "It goes on with words in lower case."),
        ("footnote", "1 A note."),
        ("caption", "Figure 1: A graph."),
    ]
    assert {w.box.page for w in section.paragraphs[1].words} == {1, 2}


def test_references_end_at_the_appendix() -> None:
    page = [
        region("heading", line("References", size=12)),
        region("list", line("Ann Lee. 2020. A work.")),
        region("list", line("Bo Smith. 2021. Another.", y=120)),
        region("heading", line("A Appendix", size=12, y=140)),
        region("text", line("More details.", y=160)),
    ]
    paper = assemble("id", [page])
    assert [p.text for p in paper.references] == ["Ann Lee. 2020. A work.", "Bo Smith. 2021. Another."]
    assert [s.title for s in paper.sections] == ["A Appendix"]


@pytest.mark.parametrize("printed", ["Abstract", "ABSTRACT", "摘 要", "Summary"])
def test_the_abstract_is_found_however_it_is_headed(printed: str) -> None:
    page = [region("heading", line(printed)), region("text", line("We describe a system.", y=120))]
    assert assemble("id", [page]).abstract.endswith("We describe a system.")


def test_an_abstract_that_begins_in_its_own_line_is_found() -> None:
    page = [region("text", line("An Author")), region("text", line("Abstract. We describe a system.", y=120))]
    assert "We describe a system." in assemble("id", [page]).abstract


def test_without_layout_size_and_place_tell_titles_headings_and_running_heads() -> None:
    def page(number: int, *lines: Line) -> PageText:
        head = line(f"Journal of Things {number}", y=20, page=number, block=90)
        return PageText(number, 600, 800, (head, *lines))

    body = line("Body text in the usual size that goes on for a while.", y=300, block=3)
    pages = [
        page(1, line("A Title", size=18, y=60, block=1), line("1 Start", size=12, y=200, block=2), body),
        page(2, line("The second page has body text of its own.", page=2, y=300, block=4)),
    ]
    paper = assemble("id", by_blocks(pages))
    assert paper.title == "A Title"
    assert [(s.title, len(s.paragraphs)) for s in paper.sections] == [("1 Start", 3)]


COORDINATES = st.integers(0, 99999).map(lambda n: n / 100)
BOXES = st.builds(Box, st.integers(1, 9), *[COORDINATES] * 4)
PARAGRAPHS = st.builds(
    Paragraph,
    st.text(max_size=20),
    st.sampled_from(["text", "table"]),
    st.lists(st.builds(Word, st.integers(0, 20), st.integers(0, 20), BOXES), max_size=4).map(tuple),
)
SECTIONS = st.builds(
    Section, st.text(max_size=9), st.integers(0, 3), st.lists(PARAGRAPHS, max_size=3).map(tuple)
)


@given(st.lists(SECTIONS, max_size=3), st.lists(PARAGRAPHS, max_size=2))
def test_a_paper_survives_the_disk(sections: list[Section], references: list[Paragraph]) -> None:
    paper = Paper("id", "Títle 标题", tuple(sections), tuple(references), 3, (2,))
    assert codec.decode(codec.encode(paper)) == paper


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 0}', '{"version": 1}', '"x"'])
def test_what_is_not_a_paper_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"paper|version|JSON|Expecting|delimiter"):
        codec.decode(text)


def test_a_page_whose_fonts_do_not_say_what_they_draw_is_told_from_text() -> None:
    assert garbled("\x17\x04\x10\x18 5\x05\x06\x11\x06\x0f\x19 $\x04\x03\x04\x10\t")
    assert not garbled("\x0f What is the percentage of female subjects? Erdős, 模型, c⃝2017")
    assert not garbled("")
