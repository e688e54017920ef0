"""QASPER (Dasigi et al., 2021): questions about NLP papers, with evidence, as published in v0.1 to v0.3."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mozi_engine.errors import DataError
from mozi_engine.types import Paper, Paragraph, Passage, Section

AnswerType = Literal["extractive", "abstractive", "boolean", "none"]
UNANSWERABLE = "Unanswerable"
_FLOAT = "FLOAT SELECTED"  # what stands before a table's or figure's caption in the evidence


@dataclass(frozen=True, slots=True)
class Reference:
    """One annotator's answer: its text as the official evaluator compares it, and the text it rests on."""

    text: str
    type: AnswerType
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and all annotators' answers."""

    id: str
    text: str
    references: tuple[Reference, ...]

    @property
    def evidence(self) -> frozenset[str]:
        """The paragraphs that any annotator rests on."""
        return frozenset(text for reference in self.references for text in reference.evidence)


@dataclass(frozen=True, slots=True)
class QasperPaper:
    """A paper as QASPER has it: its paragraphs as passages (no boxes), and what is asked about it."""

    id: str
    title: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that is not of QASPER's form, and why."""

    paper: str
    question: str
    reason: str


def read(path: Path) -> Iterator[QasperPaper | Skipped]:
    """Every paper of a published file (.json or .json.gz), in its order; broken records are named.

    Raises DataError when the file is not QASPER's JSON at all.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            papers = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a QASPER file as published") from error
    if not isinstance(papers, dict):
        raise DataError(f"{path} is not QASPER's: an object of papers was expected")
    for paper_id, record in papers.items():
        yield from _paper(paper_id, record)


def _paper(paper_id: str, record: Any) -> Iterator[QasperPaper | Skipped]:
    try:
        passages = tuple(_passages(record))
        asked = record["qas"]
        title = _text(record["title"])
    except (KeyError, TypeError, ValueError) as error:
        yield Skipped(paper_id, "", _reason(error))
        return
    questions = []
    for qa in asked:
        try:
            questions.append(_question(qa))
        except (KeyError, TypeError, ValueError) as error:
            known = qa.get("question_id", "") if isinstance(qa, dict) else ""
            yield Skipped(paper_id, str(known), _reason(error))
    yield QasperPaper(paper_id, title, passages, tuple(questions))


def _passages(record: Any) -> Iterator[Passage]:
    """The body's paragraphs, as QASPER's evidence quotes them, then the captions."""
    found = [
        (_text(section["section_name"] or ""), paragraph)
        for section in record["full_text"]
        for paragraph in section["paragraphs"]
        if _text(paragraph).strip()
    ]
    captions = [_text(item["caption"]) for item in record.get("figures_and_tables") or ()]
    for index, (section, text) in enumerate(found):
        yield Passage(index, section, text, "text", ())
    for index, text in enumerate(captions, start=len(found)):
        yield Passage(index, "", text, "caption", ())


def _question(qa: Any) -> Question:
    references = tuple(_reference(entry["answer"]) for entry in qa["answers"])
    if not references:
        raise ValueError("no answer")
    return Question(_text(qa["question_id"]), _text(qa["question"]), references)


def _reference(answer: Any) -> Reference:
    """As the official evaluator reads an answer, evidence without tables and figures."""
    evidence = tuple(_text(text) for text in answer["evidence"] if _FLOAT not in _text(text))
    if answer["unanswerable"]:
        return Reference(UNANSWERABLE, "none", ())
    if answer["extractive_spans"]:
        return Reference(", ".join(map(_text, answer["extractive_spans"])), "extractive", evidence)
    if answer["free_form_answer"]:
        return Reference(_text(answer["free_form_answer"]), "abstractive", evidence)
    if answer["yes_no"] is None:
        raise ValueError("an answer of no type")
    return Reference("Yes" if answer["yes_no"] else "No", "boolean", evidence)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _reason(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def as_paper(paper: QasperPaper) -> Paper:
    """The same paper as mozi reads one from a PDF, without places on pages."""
    sections: dict[str, list[Paragraph]] = {}
    for passage in paper.passages:
        sections.setdefault(passage.section, []).append(Paragraph(passage.text, passage.kind, ()))
    made = tuple(Section(title, 1, tuple(paragraphs)) for title, paragraphs in sections.items())
    return Paper(paper.id, paper.title, made, (), 1)
