"""QASPER (Dasigi et al., 2021): questions about NLP papers, with evidence, as published in v0.1 to v0.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mozi_engine.datasets import records
from mozi_engine.datasets.records import Skipped
from mozi_engine.datasets.records import text as _text
from mozi_engine.errors import DataError
from mozi_engine.types import Paper, Paragraph, Passage, Section

AnswerType = Literal["extractive", "abstractive", "boolean", "none"]
UNANSWERABLE = "Unanswerable"
_FLOAT = "FLOAT SELECTED"  # what stands before a table's or figure's caption in the evidence


@dataclass(frozen=True, slots=True)
class Reference:
    """One annotator's answer: its text as the official evaluator compares it, and the text it rests on.

    `captions` are those of the tables and figures it rests on, which the official evaluator leaves out;
    `highlighted` are the sentences within the evidence that the annotator marked.
    """

    text: str
    type: AnswerType
    evidence: tuple[str, ...]
    captions: tuple[str, ...] = ()
    highlighted: tuple[str, ...] = ()


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

    @property
    def unanswerable(self) -> bool:
        """Whether most annotators say that the paper does not answer."""
        return sum(reference.type == "none" for reference in self.references) * 2 > len(self.references)


@dataclass(frozen=True, slots=True)
class QasperPaper:
    """A paper as QASPER has it: its paragraphs as passages (no boxes), and what is asked about it."""

    id: str
    title: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    abstract: str = ""

    @property
    def opening(self) -> tuple[Passage, ...]:
        """The abstract as a passage; QASPER counts it among a paper's paragraphs no more than its title."""
        return (Passage(-1, "Abstract", self.abstract, "text", ()),) if self.abstract else ()


def read(path: Path) -> Iterator[QasperPaper | Skipped]:
    """Every paper of a published file (.json, .json.gz, or those in a .tgz), in its order.

    Broken records are named. A file of questions without their papers (lekhang4497's form: question ids
    with article_id, text, extractive_spans and evidence) gives papers made of the evidence alone.
    Raises DataError when the file is not QASPER's JSON at all.
    """
    for _, item in splits(path):
        yield item


def splits(path: Path) -> Iterator[tuple[str, QasperPaper | Skipped]]:
    """The same, each with the name of the JSON file it stands in: that tells train, dev and test apart."""
    for name, papers in records.documents(path):
        if not isinstance(papers, dict):
            hint = "give a QASPER file as published"
            raise DataError(f"{name} is not QASPER's: an object of papers was expected", hint=hint)
        if any(isinstance(record, dict) and "article_id" in record for record in papers.values()):
            papers, broken = _grouped(papers, name)
            yield from ((name, item) for item in broken)
        for number, (paper_id, record) in enumerate(papers.items(), start=1):
            for item in paper(paper_id, record, name, number):
                yield name, item


def papers(paths: Sequence[str]) -> list[QasperPaper]:
    """The papers of all files; broken records are left out. Raises DataError when nothing is left."""
    found = [item for path in paths for item in read(Path(path)) if isinstance(item, QasperPaper)]
    if not any(paper.questions for paper in found):
        raise DataError(
            f"no question in {', '.join(paths) or 'no file'}", hint="give QASPER files as published"
        )
    return found


def paper(paper_id: str, record: Any, file: str, number: int) -> Iterator[QasperPaper | Skipped]:
    """The broken questions of one paper's record, then the paper with the others; or the broken paper.

    `file` and `number`, from 1, say where the record stands.
    """
    try:
        passages = tuple(_passages(record))
        asked = list(record["qas"])
        title, abstract = _text(record["title"]), _text(record.get("abstract") or "")
        _text(paper_id)
    except (KeyError, TypeError, ValueError) as error:
        yield Skipped(file, number, paper_id, records.reason(error))
        return
    questions = []
    for qa in asked:
        try:
            questions.append(_question(qa))
        except (KeyError, TypeError, ValueError) as error:
            known = qa.get("question_id", "") if isinstance(qa, dict) else ""
            yield Skipped(file, number, f"{paper_id} {known}".strip(), records.reason(error))
    yield QasperPaper(paper_id, title, passages, tuple(questions), abstract)


def _grouped(questions: Mapping[str, Any], file: str) -> tuple[dict[str, Any], list[Skipped]]:
    """Questions without their papers, as papers of QASPER's form that hold their evidence alone.

    The broken ones stand beside them.
    """
    papers: dict[str, Any] = {}
    broken: list[Skipped] = []
    for number, (question_id, record) in enumerate(questions.items(), start=1):
        qa = records.attempt(file, number, question_id, partial(_alone, question_id, record))
        if isinstance(qa, Skipped):
            broken.append(qa)
            continue
        empty = {"title": "", "full_text": [], "figures_and_tables": [], "qas": []}
        known = papers.setdefault(record["article_id"], empty)
        for evidence in dict.fromkeys(record.get("evidence") or ()):
            caption, section = {"caption": _caption(evidence)}, {"section_name": "", "paragraphs": [evidence]}
            held, new = ("figures_and_tables", caption) if _FLOAT in evidence else ("full_text", section)
            if new not in known[held]:
                known[held].append(new)
        known["qas"].append(qa)
    return papers, broken


def _alone(question_id: str, record: Any) -> dict[str, Any]:
    """A question without its paper, in QASPER's form. Raises KeyError, TypeError or ValueError."""
    _text(record["article_id"])
    records.texts(record.get("evidence") or [])
    answer = {"unanswerable": False, "free_form_answer": "", "yes_no": None} | record
    qa = {"question_id": question_id, "question": record["text"], "answers": [{"answer": answer}]}
    _question(qa)
    return qa


def _passages(record: Any) -> Iterator[Passage]:
    """The body's paragraphs, as QASPER's evidence quotes them, then the captions."""
    found = [
        (_text(section["section_name"] or ""), paragraph)
        for section in record["full_text"]
        for paragraph in records.texts(section["paragraphs"])
        if paragraph.strip()
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
    if answer["unanswerable"]:
        return Reference(UNANSWERABLE, "none", ())
    found = records.texts(answer["evidence"])
    evidence = tuple(text for text in found if _FLOAT not in text)
    captions = tuple(_caption(text) for text in found if _FLOAT in text)
    marked = records.texts(answer.get("highlighted_evidence") or [])
    rest = (evidence, captions, tuple(text for text in marked if _FLOAT not in text))
    if answer["extractive_spans"]:
        return Reference(", ".join(records.texts(answer["extractive_spans"])), "extractive", *rest)
    if answer["free_form_answer"]:
        return Reference(_text(answer["free_form_answer"]), "abstractive", *rest)
    if answer["yes_no"] is None:
        raise ValueError("an answer of no type")
    return Reference("Yes" if answer["yes_no"] else "No", "boolean", *rest)


def _caption(text: str) -> str:
    return text.partition(_FLOAT)[2].removeprefix(":").strip()


def as_paper(paper: QasperPaper) -> Paper:
    """The same paper as mozi reads one from a PDF, without places on pages."""
    sections: dict[str, list[Paragraph]] = {}
    for passage in (*paper.opening, *paper.passages):
        sections.setdefault(passage.section, []).append(Paragraph(passage.text, passage.kind, ()))
    made = tuple(Section(title, 1, tuple(paragraphs)) for title, paragraphs in sections.items())
    return Paper(paper.id, paper.title, made, (), 1)
