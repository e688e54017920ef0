"""How much of the evidence a prompt holds, by how many passages it is given: their cost, and their worth.

    python benchmarks/coverage.py QASPER.json …

For each file of QASPER, as published: the share of what the annotators rest on (the marked sentences; where
none are marked, whole paragraphs) that stands in the first k passages found, the best annotator counting, and
how long those passages are (an estimate, rather high). No model is asked. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from mozi_engine.datasets.qasper import QasperPaper, Reference, read
from mozi_engine.evaluation.retrieval import builder
from mozi_engine.reading import estimated_tokens
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import Evidence

COUNTS = (1, 2, 3, 4, 5, 8)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    print("| data | questions | passages | evidence held | any of it | tokens |\n|---|---|---|---|---|---|")
    for path in parser.parse_args().data:
        papers = [paper for paper in read(path) if isinstance(paper, QasperPaper)]
        asked = found(papers)
        for count in COUNTS:
            held = [share(references, evidence[:count]) for references, evidence in asked]
            size = mean(estimated_tokens(text(evidence[:count])) for _, evidence in asked)
            some = mean(each > 0 for each in held)
            print(f"| {path.name} | {len(asked)} | {count} | {mean(held):.2f} | {some:.2f} | {size:.0f} |")


def found(papers: Sequence[QasperPaper]) -> list[tuple[tuple[Reference, ...], Sequence[Evidence]]]:
    """The annotators' answers and the best passages, for every question that rests on any text."""
    build = builder("hybrid", Encoder())
    return [
        (question.references, retriever.search(question.text, max(COUNTS)))
        for paper in papers
        for retriever in [build(paper.id, paper.passages)]
        for question in paper.questions
        if question.evidence
    ]


def share(references: Sequence[Reference], evidence: Sequence[Evidence]) -> float:
    """The share of an annotator's texts that stand in the passages, letters compared; the best one's."""
    held = letters(text(evidence))
    wanted = [reference.highlighted or reference.evidence for reference in references]
    return max(mean(letters(each) in held for each in texts) for texts in wanted if texts)


def text(evidence: Sequence[Evidence]) -> str:
    """All passages as one text."""
    return "\n".join(item.passage.text for item in evidence)


def letters(written: str) -> str:
    """The letters and digits alone, small."""
    return "".join(filter(str.isalnum, written.casefold()))


if __name__ == "__main__":
    main()
