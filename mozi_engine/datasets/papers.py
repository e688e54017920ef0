"""Questions about papers (QASPER, SciMRC), prepared for reading, for fine-tuning and for the retriever.

Each split (train, dev, test, told by the file's name) is a folder of four files:

papers.jsonl      id, title, abstract, passages: [index, section, kind, text]
questions.jsonl   id, paper, question, answers: [type, text, evidence (indices of passages), highlighted]
sft.jsonl         id, paper, type, messages: [role, content]; the last is the answer
retriever.jsonl   id, paper, question, positives, negatives: texts of passages of the same paper
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mozi_engine.datasets import examples, manifest, qasper, records, scimrc
from mozi_engine.datasets.examples import Asked, LeftOut, Options
from mozi_engine.datasets.manifest import Manifest, Writer
from mozi_engine.datasets.pieces import Cut, cut
from mozi_engine.datasets.qasper import QasperPaper, Question
from mozi_engine.datasets.records import Skipped
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.types import Progress

LICENCES = {
    "qasper": "CC BY 4.0 (Dasigi et al., 2021)",
    "scimrc": "as its authors give it to you (Zhang et al., 2023)",
}
_SPLIT = re.compile(r"train|dev|valid|test")
_Splits = Callable[[Path], Iterator[tuple[str, QasperPaper | Skipped]]]
_READERS: Mapping[str, tuple[str, _Splits]] = {
    "qasper": (".json", qasper.splits),
    "scimrc": (".jsonl", scimrc.splits),
}


def prepare(kind: str, raw: Path, out: Path, options: Options | None = None) -> Iterator[Progress | Manifest]:
    """Read every file of `raw` and write `out`; the last item is its manifest.

    Raises DataError when a file cannot be read or too many records are broken; `out` then has no file.
    """
    options = options or Options()
    ending, splits = _READERS[kind]
    paths = records.found(raw, (ending,))
    skipped: list[Skipped] = []
    known: set[str] = set()
    with manifest.writing(out) as writer:
        read = (found for path in paths for found in splits(path))
        done = 0
        for done, (name, item) in enumerate(read, start=1):
            if isinstance(item, QasperPaper):
                skipped += _write(writer, name, item, options, known)
            else:
                skipped.append(item)
            yield Progress("preparing", done, None, "papers")
        yield Progress("preparing", done, done, "papers")
        records.check(skipped, len(known), options.tolerance)
        read_from = manifest.named(raw, paths)
        made = manifest.made(writer, kind, LICENCES[kind], options, read_from, skipped)
    yield manifest.finish(out, made)


def split_of(name: str) -> str:
    """The split that a file's name tells; the name itself where it tells none."""
    found = _SPLIT.search(name.casefold())
    return name.partition(".")[0] if found is None else found[0].replace("valid", "dev")


def _write(writer: Writer, name: str, paper: QasperPaper, options: Options, known: set[str]) -> list[Skipped]:
    """Write one paper and what is asked about it; questions that were read before are broken records."""
    split, pieces, again = split_of(name), cut(paper), []
    retriever = Bm25(pieces.passages)
    writer.count(split, "papers")
    writer.write(f"{split}/papers.jsonl", _paper(paper, pieces))
    for question in paper.questions:
        if question.id in known:
            again.append(Skipped(name, 0, f"{paper.id} {question.id}", "the question was read before"))
            continue
        known.add(question.id)
        _count(writer, split, question, pieces)
        writer.write(f"{split}/questions.jsonl", _question(paper, question, pieces))
        ranked = np.argsort(-retriever.scores(question.text), kind="stable").tolist()
        _write_examples(writer, split, Asked(paper, question, pieces, ranked), options)
    return again


def _count(writer: Writer, split: str, question: Question, pieces: Cut) -> None:
    writer.count(split, "questions")
    for reference in question.references:
        writer.count(split, f"answers, {reference.type}")
        for _ in pieces.missing(reference):
            writer.leave_out(split, "evidence that is no paragraph of the paper")


def _paper(paper: QasperPaper, pieces: Cut) -> dict[str, object]:
    passages = [
        {"index": p.index, "section": p.section, "kind": p.kind, "text": p.text} for p in pieces.passages
    ]
    return {"id": paper.id, "title": paper.title, "abstract": paper.abstract, "passages": passages}


def _question(paper: QasperPaper, question: Question, pieces: Cut) -> dict[str, object]:
    answers = [
        {"type": r.type, "text": r.text, "evidence": pieces.of(r), "highlighted": r.highlighted}
        for r in question.references
    ]
    return {"id": question.id, "paper": paper.id, "question": question.text, "answers": answers}


def _write_examples(writer: Writer, split: str, asked: Asked, options: Options) -> None:
    paper, question = asked.paper.id, asked.question
    for item in (*examples.conversations(asked, options), *examples.withheld(asked, options)):
        if isinstance(item, LeftOut):
            writer.leave_out(split, item.why)
        else:
            writer.count(split, "examples for fine-tuning")
            writer.write(f"{split}/sft.jsonl", examples.record(item, paper=paper))
    pairs = examples.pairs(asked, options)
    if isinstance(pairs, LeftOut):
        writer.leave_out(split, pairs.why)
    else:
        writer.count(split, "questions for the retriever")
        about = {"id": question.id, "paper": paper, "question": question.text}
        writer.write(f"{split}/retriever.jsonl", about | asdict(pairs))
