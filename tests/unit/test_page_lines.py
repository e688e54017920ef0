from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mozi_cli.tui.page_lines import BULLET, Line, lines, wrap
from mozi_engine.paper import joining, pages
from mozi_engine.paper.page import Printed
from mozi_engine.types import Kind, Paragraph
from tests import papers

TEXT = st.text(st.sampled_from("ab cdefgh-,。，「」图谱の é\n"), max_size=120)


def shown(written: list[Line]) -> list[str]:
    """The lines as they are drawn."""
    drawn = []
    for line in written:
        row = line.lead
        for part in line.parts:
            assert line.piece
            row += " " * (part.column - cell_len(row)) + line.piece.paragraph.text[part.start : part.end]
        drawn.append(row)
    return drawn


def laid_out(*paragraphs: Paragraph, width: int) -> list[str]:
    return shown(lines(pages.pages(papers.paper(*paragraphs))[0], width))


def table(*rows: str) -> Paragraph:
    cells = [
        [[Printed(word, papers.line("x").box) for word in cell.split()] for cell in row.split("|")]
        for row in rows
    ]
    return joining.table(cells, frozenset())


@given(TEXT, st.integers(1, 30))
def test_nothing_is_lost_and_nothing_too_wide(text: str, width: int) -> None:
    broken = [text[start:end] for start, end in wrap(text, 0, len(text), width)]
    assert "".join("".join(broken).split()) == "".join(text.split())
    for row in broken:
        assert row == row.strip()
        assert cell_len(row) <= width or len(row) == 1 or cell_len(row[-1]) > width


def test_words_stay_whole_where_there_is_room() -> None:
    text = "we describe a deployed scalable system"
    assert [text[a:b] for a, b in wrap(text, 0, len(text), 14)] == [
        "we describe a",
        "deployed",
        "scalable",
        "system",
    ]


def test_chinese_breaks_between_characters_but_not_before_a_full_stop() -> None:
    text = "我们研究文献图谱。它很大"
    broken = [text[a:b] for a, b in wrap(text, 0, len(text), 16)]
    assert broken == ["我们研究文献图", "谱。它很大"]
    assert all(cell_len(row) <= 16 for row in broken)


def test_an_address_longer_than_a_line_is_cut() -> None:
    text = "see http://example.org/a/very/long/address now"
    assert [text[a:b] for a, b in wrap(text, 0, len(text), 12)] == [
        "see", "http://examp", "le.org/a/ver", "y/long/addre", "ss now",
    ]  # fmt: skip


def test_a_table_s_cells_stand_one_under_the_other() -> None:
    assert laid_out(table("Approach | prec. | yield", "Hybrid | 91.5 | 1990"), width=40) == [
        "Approach  prec.  yield",
        "Hybrid    91.5   1990",
    ]


def test_a_table_too_wide_for_that_is_wrapped() -> None:
    assert laid_out(table("Approach | prec. | yield", "Hybrid | 91.5 | 1990"), width=16) == [
        "Approach | prec.",
        "| yield",
        "Hybrid | 91.5 |",
        "1990",
    ]


def test_the_items_of_a_list_have_a_sign_and_hang() -> None:
    def item(text: str, kind: Kind = "list") -> Paragraph:
        return papers.paragraph(papers.line(text), kind=kind)

    assert laid_out(
        item("which papers discuss"), item("(a) which authors"), item("and so on", "text"), width=14
    ) == [
        f"{BULLET}which papers",
        "  discuss",
        "(a) which",
        "  authors",
        "",
        "and so on",
    ]
