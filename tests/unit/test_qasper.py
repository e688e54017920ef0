import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper, Reference, read
from mozi_engine.datasets.records import Skipped
from mozi_engine.errors import DataError

NOTHING = {
    "unanswerable": False,
    "extractive_spans": [],
    "yes_no": None,
    "free_form_answer": "",
    "evidence": ["We use SQuAD.", "FLOAT SELECTED: Table 1: Data."],
    "highlighted_evidence": [],
}


def _answer(**changes: Any) -> dict[str, Any]:
    return {"answer": NOTHING | changes, "annotation_id": "x", "worker_id": "y"}


PAPERS = {
    "1805.1": {
        "title": "A Graph",
        "abstract": "We build.",
        "full_text": [
            {"section_name": "Data", "paragraphs": ["We use SQuAD.", "", "Trees grow."]},
            {"section_name": None, "paragraphs": ["Graphs have nodes."]},
        ],
        "figures_and_tables": [{"file": "1.png", "caption": "Table 1: Data."}],
        "qas": [
            {
                "question_id": "q1",
                "question": "Which data is used: SQuAD?",
                "answers": [
                    _answer(extractive_spans=["SQuAD", "NQ"]),
                    _answer(free_form_answer="Two datasets"),
                    _answer(yes_no=False),
                    _answer(unanswerable=True),
                ],
            }
        ],
    }
}


def _read(tmp_path: Path, papers: object) -> list[QasperPaper | Skipped]:
    path = tmp_path / "qasper.json"
    path.write_text(json.dumps(papers), "utf-8")
    return list(read(path))


def test_a_paper_is_its_paragraphs_then_its_captions(tmp_path: Path) -> None:
    (paper,) = _read(tmp_path, PAPERS)
    assert isinstance(paper, QasperPaper)
    assert [(p.index, p.section, p.text, p.kind) for p in paper.passages] == [
        (0, "Data", "We use SQuAD.", "text"),
        (1, "Data", "Trees grow.", "text"),
        (2, "", "Graphs have nodes.", "text"),
        (3, "", "Table 1: Data.", "caption"),
    ]


def test_the_four_types_of_answer_read_as_the_official_evaluator_reads_them(tmp_path: Path) -> None:
    (paper,) = _read(tmp_path, PAPERS)
    assert isinstance(paper, QasperPaper)
    found = (("We use SQuAD.",), ("Table 1: Data.",))
    assert paper.questions[0].references == (
        Reference("SQuAD, NQ", "extractive", *found),
        Reference("Two datasets", "abstractive", *found),
        Reference("No", "boolean", *found),
        Reference(UNANSWERABLE, "none", ()),
    )


def test_a_compressed_file_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "qasper.json.gz"
    path.write_bytes(gzip.compress(json.dumps(PAPERS).encode()))
    assert list(read(path)) == _read(tmp_path, PAPERS)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("full_text",), "x", "string indices"),
        (("full_text", 0, "paragraphs"), [1], "1 is not a text"),
        (("title",), None, "None is not a text"),
        (("qas", 0, "question"), 3, "3 is not a text"),
        (("qas", 0, "answers"), [], "no answer"),
        (("qas", 0, "answers", 0), {}, "no 'answer'"),
        (("qas", 0, "answers", 0, "answer"), NOTHING, "an answer of no type"),
        (("qas", 0), [], "list indices"),
    ],
)
def test_a_broken_record_is_named_and_skipped(
    tmp_path: Path, place: tuple[str | int, ...], value: object, reason: str
) -> None:
    papers = copy.deepcopy(PAPERS) | {"whole": PAPERS["1805.1"]}
    target: Any = papers["1805.1"]
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    found = _read(tmp_path, papers)
    (skipped,) = (item for item in found if isinstance(item, Skipped))
    assert skipped.id.startswith("1805.1")
    assert reason in skipped.reason
    assert isinstance(found[-1], QasperPaper)
    assert len(found[-1].questions) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_is_not_qaspers_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "qasper.json"
    path.write_bytes(content)
    with pytest.raises(DataError):
        list(read(path))


def test_a_cut_archive_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "qasper.json.gz"
    path.write_bytes(gzip.compress(json.dumps(PAPERS).encode())[:-20])
    for file in (path, tmp_path / "none.json"):
        with pytest.raises(DataError, match="cannot be read"):
            list(read(file))
