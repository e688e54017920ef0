"""QASPER's dev papers as L-Eval has them, as a file that `mozi eval` reads: for experiments, never shipped.

    python benchmarks/leval.py leval_docs_with_dev_evidence.jsonl leval-dev.json
    mozi eval qasper leval-dev.json runs/passages --evidence retrieved
    mozi eval qasper leval-dev.json runs/whole --evidence full
    mozi eval compare runs/passages runs/whole

The text (L-Eval, GPL-3.0) has one paragraph or heading a line, no title. The questions are those of the dev
set that have extractive answers and all their evidence in the text; which annotator gave which answer is not
known, so each span is an answer of its own, beside all of them together. Figures made from this file compare
with each other alone.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

HEADING = re.compile(r"[A-Z][^.?!:;,]{2,79}( ::: .*)?\s*")


def paper(record: dict[str, Any]) -> dict[str, Any]:
    """One document in QASPER's published form."""
    asked = record["qasper_extractive_qas"]
    evidence = {text for question in asked for text in question["evidence"]}
    sections: list[dict[str, Any]] = []
    for line in record["text"].split("\n"):
        if not sections or (HEADING.fullmatch(line) and line not in evidence):
            sections.append({"section_name": line.strip(), "paragraphs": []})
        else:
            sections[-1]["paragraphs"].append(line)
    return {"title": "", "full_text": sections, "qas": [question(item) for item in asked]}


def question(item: dict[str, Any]) -> dict[str, Any]:
    """One question, with an answer for each span, and one for all of them."""
    spans = list(dict.fromkeys(item["extractive_spans"]))
    answers = [[span] for span in spans] + ([spans] if len(spans) > 1 else [])
    rest = {"unanswerable": False, "free_form_answer": "", "yes_no": None, "evidence": item["evidence"]}
    return {
        "question_id": item["question_id"],
        "question": item["question"],
        "answers": [{"answer": {"extractive_spans": answer, **rest}} for answer in answers],
    }


def main() -> None:
    """Write the dev papers of the file."""
    parser = argparse.ArgumentParser(description="L-Eval's documents as QASPER's")
    parser.add_argument("documents", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    records = map(json.loads, given.documents.read_text("utf-8").splitlines())
    papers = {record["arxiv_id"]: paper(record) for record in records if record["split"] == "dev"}
    given.out.write_text(json.dumps(papers, ensure_ascii=False), "utf-8")
    print(f"{len(papers)} papers, {sum(len(p['qas']) for p in papers.values())} questions")


if __name__ == "__main__":
    main()
