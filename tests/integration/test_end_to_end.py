"""The installed mozi, the real default model, a real paper: the right answer, and quotations that hold."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from tests.command import mozi
from tests.conftest import EXAMPLE

pytestmark = pytest.mark.model

QUESTIONS = (
    "How many author nodes does the literature graph have?",
    "What is the F1 of ScienceParse for bibliography years?",
    "What is this paper about?",
    "What is the capital of France?",
)


@pytest.fixture(scope="module")
def answers(model_home: Path, _example_cache: Path) -> list[dict[str, Any]]:
    """What one mozi says to all the questions, on a machine whose every way out is shut."""
    shutil.copytree(_example_cache, model_home / "cache", dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOZI_HOME", str(model_home))
        for way in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT", "PIP_INDEX_URL"):
            environment.setenv(way, "http://127.0.0.1:1")
            environment.setenv(way.lower(), "http://127.0.0.1:1")
        asked = "\n".join(QUESTIONS)
        ran = mozi("chat", "--paper", EXAMPLE, "--json", "-k", 1, stdin=asked, timeout=500)
    assert (ran.returncode, ran.stderr) == (0, "")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def letters(text: str) -> str:
    """The text without what printing changes: spaces, hyphens, ligatures, the bars between a table's cells."""
    return re.sub(r"[\s|\-\u00ad\u2010]", "", unicodedata.normalize("NFKC", text))


def under(document: pymupdf.Document, boxes: list[dict[str, Any]]) -> str:
    """The words whose middles lie in the boxes, box after box, in the order of the page."""
    found = []
    for box in boxes:
        area = pymupdf.Rect(box["x0"], box["y0"], box["x1"], box["y1"])
        for x0, y0, x1, y1, word, *_ in document[box["page"] - 1].get_text("words"):
            if pymupdf.Point((x0 + x1) / 2, (y0 + y1) / 2) in area:
                found.append(word)
    return " ".join(found)


def test_the_answers_name_the_right_thing(answers: list[dict[str, Any]]) -> None:
    assert tuple(answer["question"] for answer in answers) == QUESTIONS
    authors, years, *_ = answers
    assert "12M" in authors["answer"]
    assert "98.0" in years["answer"]
    assert authors["verdict"] == years["verdict"] == "answered"
    assert authors["model"] == "qwen2.5-coder-1.5b"
    assert not authors["unverified_numbers"]
    assert authors["timings"]["prompt_tokens"] > 100


def test_the_citations_are_where_the_paper_says_it(answers: list[dict[str, Any]]) -> None:
    authors, years, *_ = answers
    assert "The literature graph has 12M nodes of this type." in [c["quote"] for c in authors["citations"]]
    assert "bibliography years | 98.0 | 98.0 | 98.0" in [c["quote"] for c in years["citations"]]
    assert {c["page"] for c in authors["citations"]} == {2}


def test_what_the_paper_is_about_stands_in_its_abstract(answers: list[dict[str, Any]]) -> None:
    about = answers[2]
    cited = {about["evidence"][citation["passage"]]["section"] for citation in about["citations"]}
    assert (about["verdict"], cited) == ("answered", {"Abstract"})


def test_what_the_paper_does_not_say_is_refused(answers: list[dict[str, Any]]) -> None:
    assert (answers[-1]["verdict"], answers[-1]["citations"]) == ("not_in_paper", [])


def test_every_quote_is_exact_and_its_boxes_lie_on_its_words(answers: list[dict[str, Any]]) -> None:
    with pymupdf.open(EXAMPLE) as document:
        for answer in answers:
            for citation in answer["citations"]:
                passage = answer["evidence"][citation["passage"]]["text"]
                assert citation["quote"] == passage[citation["start"] : citation["end"]] != ""
                assert letters(under(document, citation["boxes"])) == letters(citation["quote"])


def test_the_boxes_of_the_evidence_lie_on_its_words(answers: list[dict[str, Any]]) -> None:
    with pymupdf.open(EXAMPLE) as document:
        for evidence in (evidence for answer in answers for evidence in answer["evidence"]):
            assert letters(under(document, evidence["boxes"])) == letters(evidence["text"])
