"""Write L-Eval's documents of QASPER's dev set in QASPER's published form, with the dev questions about them.

    python benchmarks/leval.py LEVAL.jsonl QUESTIONS.json dev.json

For experiments only: L-Eval's part is under the GPL. Its documents have no titles, no abstracts, no captions.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the documents and the questions, write the papers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("documents", "questions", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    questions = json.loads(arguments.questions.read_text("utf-8"))
    lines = arguments.documents.read_text("utf-8").splitlines()
    documents = {record["arxiv_id"]: record for record in map(json.loads, lines) if record["split"] == "dev"}
    made = {
        paper: {
            "title": "",
            "full_text": list(sections(document["text"])),
            "qas": [asked(key, q) for key, q in questions.items() if q["article_id"] == paper],
        }
        for paper, document in documents.items()
    }
    arguments.out.write_text(json.dumps(made), "utf-8")


def sections(text: str) -> Iterator[dict[str, object]]:
    """Paragraphs under their headings: short lines that begin with a capital and do not end as sentences."""
    title, paragraphs = "", []
    for line in filter(None, map(str.strip, text.splitlines())):
        if len(line.split()) <= 10 and re.match(r"[A-Z0-9]", line) and not re.search(r"[.?!:;,]$", line):
            yield {"section_name": title, "paragraphs": paragraphs}
            title, paragraphs = line, []
        elif not line.startswith("["):
            paragraphs.append(line)
    yield {"section_name": title, "paragraphs": paragraphs}


def asked(key: str, record: Mapping[str, Any]) -> dict[str, object]:
    """A question in the published form; what is evidence for any annotator is evidence."""
    evidence = [text.strip() for text in record["evidence"]]
    answer = {"unanswerable": False, "extractive_spans": record["extractive_spans"], "yes_no": None}
    answers = [{"answer": answer | {"free_form_answer": "", "evidence": evidence}}]
    return {"question_id": key, "question": record["text"], "answers": answers}


if __name__ == "__main__":
    main()
