"""Real papers, read whole: what a person would see as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymupdf
import pytest

from mozi_engine import files
from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.paper import opening, pdf
from mozi_engine.paper.page import clean
from mozi_engine.paper.passages import split
from mozi_engine.types import Box, Kind, Paper, Paragraph

OTHERS = Path(__file__).parents[3] / "shared" / "data" / "pdf"
EXAMPLE = Path(__file__).parents[2] / "examples" / "N18-3011.pdf"


def other(name: str) -> Path:
    path = OTHERS / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Paper, Paper]]:
    """The example as it is first read, and with its layout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOZI_HOME", str(tmp_path_factory.mktemp("home")))
        text, *_, layout = opening.read(EXAMPLE)
        assert isinstance(text, opening.TextRead)
        assert isinstance(layout, opening.LayoutRead)
        yield text.paper, layout.paper


@pytest.fixture
def paper(read: tuple[Paper, Paper]) -> Paper:
    return read[1]


def paragraphs(paper: Paper, *kinds: Kind) -> list[Paragraph]:
    every = [p for s in paper.sections for p in s.paragraphs]
    return [p for p in every if not kinds or p.kind in kinds]


def starting(paper: Paper, words: str) -> Paragraph:
    (found,) = (p for p in paragraphs(paper) if p.text.startswith(words))
    return found


def test_title_abstract_and_size(paper: Paper) -> None:
    assert paper.title == "Construction of the Literature Graph in Semantic Scholar"
    assert paper.pages == 8
    assert paper.scanned == ()
    assert paper.id == files.sha256(EXAMPLE)
    assert "We describe a deployed scalable system for organizing published" in paper.abstract


def test_sections_in_order_with_their_levels(paper: Paper) -> None:
    assert [(s.level, s.title) for s in paper.sections] == [
        (0, ""),
        (1, "Abstract"),
        (1, "1 Introduction"),
        (1, "2 Structure of The Literature Graph"),
        (2, "2.1 Node Types"),
        (2, "2.2 Edge Types"),
        (1, "3 Extracting Metadata"),
        (1, "4 Entity Extraction and Linking"),
        (2, "4.1 Approaches"),
        (2, "4.2 Entity Extraction Models"),
        (2, "4.3 Knowledge Bases"),
        (2, "4.4 Entity Linking Models"),
        (1, "5 Other Research Problems"),
        (1, "6 Conclusion and Future Work"),
    ]


def test_running_heads_and_page_numbers_are_out(paper: Paper) -> None:
    everything = "\n".join(p.text for p in paragraphs(paper))
    assert "Proceedings of NAACL-HLT" not in everything
    assert "Association for Computational Linguistics" not in everything
    assert not any(p.text in map(str, range(84, 92)) for p in paragraphs(paper))


def test_a_paragraph_is_joined_across_the_columns_and_across_a_page(paper: Paper) -> None:
    columns = starting(paper, "In this paper, we focus on the problem")
    assert "academic search (e.g., Xiong et al., 2017). We describe methods" in columns.text
    pages = starting(paper, "We reduce literature graph construction")
    assert {w.box.page for w in pages.words} == {1, 2}


def test_a_paragraph_goes_on_past_a_table(paper: Paper) -> None:
    assert "extraction model with a similar architecture" in starting(paper, "Model instances.").text


def test_hyphenation_is_undone_and_real_hyphens_stay(paper: Paper) -> None:
    everything = " ".join(p.text for p in paragraphs(paper, "text", "list"))
    for whole in ("manipulation and discovery", "MEDLINE", "hand-engineered", "co-authors", "off-the-shelf"):
        assert whole in everything
    for broken in ("discov-", "discov ery", "handengineered", "MED-LINE"):
        assert broken not in everything


def test_a_table_keeps_its_rows(paper: Paper) -> None:
    tables = paragraphs(paper, "table")
    assert len(tables) == 4
    assert tables[0].text.splitlines() == [
        "Field | Precision | Recall | F1",
        "title | 85.5 | 85.5 | 85.5",
        "authors | 92.1 | 92.1 | 92.1",
        "bibliography titles | 89.3 | 89.4 | 89.3",
        "bibliography authors | 97.1 | 97.0 | 97.0",
        "bibliography venues | 91.7 | 89.7 | 90.7",
        "bibliography years | 98.0 | 98.0 | 98.0",
    ]


def test_captions(paper: Paper) -> None:
    starts = sorted(p.text.split(":")[0] for p in paragraphs(paper, "caption"))
    assert starts == ["Figure 1", "Table 1", "Table 2", "Table 3", "Table 4"]


def test_footnotes_are_not_in_the_text(paper: Paper) -> None:
    notes = [p.text for p in paragraphs(paper, "footnote")]
    assert "2The ScienceParse libraries can be found at http://allenai.org/software/." in notes
    assert not any("openie-standalone" in p.text for p in paragraphs(paper, "text"))


def test_references_stand_apart_one_by_one(paper: Paper) -> None:
    assert len(paper.references) == 27
    assert paper.references[0].text.startswith("Waleed Ammar, Matthew E. Peters")
    assert paper.references[-1].text.startswith("Chenyan Xiong")
    assert "Léon Bottou" in paper.references[4].text
    assert not any("In ACL workshop" in p.text for p in paragraphs(paper))


def printed(path: Path) -> dict[Box, str]:
    """What PyMuPDF itself says is printed where, to a hundredth of a point."""
    pymupdf.TOOLS.set_small_glyph_heights(True)
    try:
        with pymupdf.open(path) as document:
            flags = pdf._FLAGS
            return {
                Box(page.number + 1, *(round(v * 100) / 100 for v in word[:4])): word[4]
                for page in document
                for word in page.get_text("words", flags=flags)
            }
    finally:
        pymupdf.TOOLS.set_small_glyph_heights(False)


@pytest.mark.parametrize("pass_", ["text", "layout"])
def test_every_word_is_what_is_printed_in_its_box(read: tuple[Paper, Paper], pass_: str) -> None:
    paper, boxes = read[pass_ == "layout"], printed(EXAMPLE)
    count = 0
    for paragraph in (*paragraphs(paper), *paper.references):
        for word in paragraph.words:
            text, original = paragraph.text[word.start : word.end], clean(boxes[word.box])
            assert text == original or (text == original[:-1] and original[-1] == "-")
            count += 1
    assert count > 5000


def test_passages_of_the_example(paper: Paper) -> None:
    passages = split(paper)
    assert 50 < len(passages) < 110
    assert max(len(p.words) for p in passages) <= 170
    (table,) = (p for p in passages if "Results of the ScienceParse system" in p.text)
    assert (table.kind, table.section, table.page) == ("table", "3 Extracting Metadata", 3)
    assert "title | 85.5" in table.text
    (question,) = (p for p in passages if "Ranibizumab" in p.text)
    assert question.section == "1 Introduction"
    for passage in passages:
        assert "".join(passage.text[w.start : w.end] for w in passage.words).replace("-", "") == "".join(
            passage.text.replace(" | ", "").replace("-", "").split()
        )


def test_the_first_reading_already_has_the_words_and_most_headings(read: tuple[Paper, Paper]) -> None:
    text, layout = read
    assert text.title == layout.title
    titles = {s.title for s in text.sections}
    assert {"Abstract", "1 Introduction", "4.1 Approaches", "6 Conclusion and Future Work"} <= titles
    assert len(text.references) == 27


def test_a_second_paper_in_two_columns() -> None:
    paper = opening.read_all(other("acl_2020.acl-main.207.pdf"))
    assert paper.title.startswith("SPECTER: Document-level Representation Learning")
    assert [s.title for s in paper.sections if s.level == 1][:4] == [
        "Abstract",
        "1 Introduction",
        "2 Model",
        "3 SCIDOCS Evaluation Framework",
    ]
    assert paper.sections[-1].title.startswith("A Appendix")
    assert len(paper.references) == 57


def test_japanese_is_joined_without_spaces_and_drawn_character_by_character() -> None:
    paper = opening.read_all(other("pdfjs_issue16538.pdf"))
    text = next(p for p in paragraphs(paper) if "取引できない商品" in p.text)
    assert "マクロ経済変数" in text.text
    at = text.text.index("商品")
    assert [text.text[w.start : w.end] for w in text.words if at <= w.start < at + 2] == ["商", "品"]


def test_a_paper_of_scans_names_its_pages_and_what_would_read_them() -> None:
    if opening.ocr_installed():
        pytest.skip("OCR is installed, and would read it")
    with pytest.raises(PaperError, match=r"pages 1-4 are scans") as caught:
        opening.read_all(other("derived_scanned_acl_N18-3011_p1-4.pdf"))
    assert "rapidocr" in caught.value.hint


def test_a_password_of_somebody_elses_making() -> None:
    path = other("pdfjs_pr6531_2.pdf")
    with pytest.raises(PasswordError, match="needs a password"):
        opening.read_all(path)
    assert "Bluebeam" in paragraphs(opening.read_all(path, password="asdfasdf"))[0].text
