"""A conversation as a document keeps its words, and breaks no format whatever they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.errors import DataError
from mozi_engine.sessions import exporting
from mozi_engine.sessions.conversations import Conversation, Exchange, PaperRef, Session
from mozi_engine.sessions.records import conversation_record
from mozi_engine.types import Answer, Citation, Evidence, Timings
from tests.conftest import passage

WHEN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PAPER = PaperRef("0123456789" * 6 + "abcd", "Construction of the Literature Graph", "arxiv:1805.02262v1", 8)
QUOTED = "It has 280M nodes & 100% of {them}_are *papers*."
ANSWER = Answer(
    "It has 280M nodes. They fly 99 times.",
    "partial",
    (Evidence(passage(QUOTED, page=2, section="2.1 Node_Types"), 1.0, 1),),
    (Citation((0, 18), 0, 0, len(QUOTED), 0.9),),
    ((19, 37),),
    ((28, 30),),
    Timings(),
)


def exchange(question: str, answer: Answer | None = None, **changes: object) -> Exchange:
    text = answer.text if answer else ""
    made = Exchange(1, "paper", "qwen", question, text, "answered", answer, "", WHEN)
    return replace(made, **changes)  # type: ignore[arg-type]


def conversation(*exchanges: Exchange, paper: PaperRef | None = PAPER) -> Conversation:
    return Conversation(Session("aaa111111111", "paper", paper, "qwen", WHEN, WHEN), exchanges)


def test_markdown_holds_questions_answers_and_quotations() -> None:
    kept = conversation(
        exchange("How large is it?", ANSWER),
        exchange("And # the <edges>?", text="They", state="stopped"),
        exchange("Why?", state="failed", detail="the server refused"),
        exchange("我很累\nreally", mode="support", text="听起来你撑了很久。"),
    )
    assert exporting.markdown(kept) == (
        "# Construction of the Literature Graph\n\n"
        "`arxiv:1805.02262v1`, 8 pages, 2026-11-22, qwen\n\n"
        "## How large is it?\n\n"
        "It has 280M nodes. [1] They fly 99 times. [?]\n\n"
        "> [1] “It has 280M nodes & 100% of {them}\\_are \\*papers\\*.”\n>\n> page 2, 2.1 Node\\_Types\n\n"
        "*\\[?\\] nothing in the evidence says this*\n\n"
        "*not in the cited passages: 99*\n\n"
        "## And \\# the \\<edges\\>?\n\nThey\n\n*stopped*\n\n"
        "## Why?\n\n*failed: the server refused*\n\n"
        "> 我很累\n> really\n\n听起来你撑了很久。\n"
    )


def test_what_the_paper_does_not_answer_is_said() -> None:
    refused = replace(ANSWER, verdict="not_in_paper", citations=(), uncited=(), unverified=())
    assert "## How many cats?\n\nNot in the paper.\n" in exporting.markdown(
        conversation(exchange("How many cats?", refused))
    )


def test_bibtex_holds_what_is_known_and_each_quotation_once() -> None:
    kept = conversation(exchange("How large?", ANSWER), exchange("How large again?", ANSWER))
    assert exporting.bibtex(kept) == (
        "% The authors are to be added: a PDF does not tell them reliably.\n"
        "@misc{construction-012345,\n"
        "  title = {{Construction of the Literature Graph}},\n"
        "  year = {2018},\n"
        "  eprint = {1805.02262v1},\n"
        "  archiveprefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/1805.02262v1},\n"
        "  note = {``It has 280M nodes \\& 100\\% of \\textbraceleft{}them\\textbraceright{}\\_are *papers*.''"
        " (p. 2, 2.1 Node\\_Types)},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("https://arxiv.org/pdf/2401.00001", ["year = {2024}", "eprint = {2401.00001}"]),
        ("https://arxiv.org/pdf/2401.00001v2.pdf", ["eprint = {2401.00001v2}"]),
        ("arxiv:cs/0112017", ["year = {2001}", "eprint = {cs/0112017}"]),
        ("arXiv:hep-th/9901001", ["year = {1999}", "eprint = {hep-th/9901001}"]),
        ("https://doi.org/10.18653/v1/N18-3011", ["doi = {10.18653/v1/N18-3011}", "url = {https://doi.org/"]),
        ("https://aclanthology.org/N18-3011.pdf", ["url = {https://aclanthology.org/N18-3011.pdf}"]),
        ("https://example.org/a{b}.pdf", ["url = {https://example.org/a%7Bb%7D.pdf}"]),
        ("/home/me/secret/my_draft.pdf", [r"howpublished = {my\_draft.pdf}"]),
        (r"C:\papers\draft.pdf", ["howpublished = {draft.pdf}"]),
    ],
)
def test_a_reference_tells_what_it_can(reference: str, says: list[str]) -> None:
    entry = exporting.bibtex(conversation(paper=replace(PAPER, reference=reference)))
    assert all(line in entry for line in says)
    assert "secret" not in entry


def test_a_conversation_about_no_paper_has_no_entry() -> None:
    with pytest.raises(DataError, match="about no paper"):
        exporting.bibtex(conversation(paper=None))
    assert exporting.markdown(conversation(paper=None)).startswith("# A conversation\n\n2026-11-22, qwen")


def test_a_record_holds_all_that_is_known() -> None:
    record = json.loads(conversation_record(conversation(exchange("How large?", ANSWER), exchange("Why?"))))
    assert record["paper"]["reference"] == PAPER.reference
    answered, open_ = record["exchanges"]
    assert answered["citations"][0]["quote"] == QUOTED
    assert answered["uncited"] == ["They fly 99 times."]
    assert (open_["answer"], open_["asked"]) == ("", "2026-11-22T09:30:00+00:00")


ANY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@given(title=ANY, reference=ANY, quoted=ANY.filter(str.strip), question=ANY)
def test_any_words_make_whole_documents(title: str, reference: str, quoted: str, question: str) -> None:
    words = passage(quoted)
    answer = replace(
        ANSWER,
        evidence=(Evidence(words, 1.0, 1),),
        citations=(Citation((0, 18), 0, 0, len(quoted), 0.9),),
    )
    kept = conversation(exchange(question, answer), paper=replace(PAPER, title=title, reference=reference))
    entry = exporting.bibtex(kept)
    assert entry.count("{") == entry.count("}")
    assert re.fullmatch(r"% .*\n@misc\{[a-z-]+-012345,\n(?:  [a-z]+ = \{.*\},\n)+\}\n", entry)
    headings = [line for line in exporting.markdown(kept).split("\n") if line.startswith("#")]
    assert len(headings) == 2
    assert json.loads(exporting.WRITERS["json"](kept))["exchanges"][0]["question"] == question
