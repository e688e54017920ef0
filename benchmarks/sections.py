"""What reading a paper could leave out: how long each kind of section is, and how many questions rest on it.

    python benchmarks/sections.py QASPER.json …

For each file of QASPER, as published: the share of the papers' text that sections of a kind take (captions
apart), and how many questions rest on them, for some and for all of their evidence; the annotator who rests
on them least counts. Leaving a kind of section out would lose the latter. No model is asked. Prints a
Markdown table.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mozi_engine.datasets.qasper import QasperPaper, Question, read

KINDS = {  # a section is of the first kind whose words stand in its title
    "acknowledgements": ("acknowledg",),
    "appendix": ("appendi", "supplement"),
    "related work": ("related", "previous work", "prior work", "background"),
    "conclusion": ("conclu", "future work", "summary"),
    "introduction": ("introduction",),
    "abstract": ("abstract",),
    "captions and tables": (),
    "all else": ("",),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    print("| data | sections | share of the text | questions with some | with all |\n|---|---|---|---|---|")
    for path in parser.parse_args().data:
        papers = [paper for paper in read(path) if isinstance(paper, QasperPaper)]
        size, some, whole, asked = counted(papers)
        for kind in KINDS:
            share = size[kind] / size.total()
            cells = (f"{share:.1%}", f"{some[kind]} of {asked}", f"{whole[kind]} of {asked}")
            print(f"| {path.name} | {kind} | {' | '.join(cells)} |")


def counted(papers: list[QasperPaper]) -> tuple[Counter[str], Counter[str], Counter[str], int]:
    """By kind: characters, questions that rest on it partly, and wholly; and all questions with evidence."""
    size, some, whole, asked = Counter[str](), Counter[str](), Counter[str](), 0
    for paper in papers:
        kinds = {passage.text: kind_of(passage.section, passage.kind) for passage in paper.passages}
        for passage in paper.passages:
            size[kinds[passage.text]] += len(passage.text)
        for question in paper.questions:
            rests = list(resting(question, kinds))
            asked += bool(rests)
            for kind in KINDS:
                some[kind] += bool(rests) and all(kind in on for on in rests)
                whole[kind] += bool(rests) and all(on == {kind} for on in rests)
    return size, some, whole, asked


def resting(question: Question, kinds: dict[str, str]) -> Iterator[set[str]]:
    """For each annotator with evidence, the kinds of section that it stands in."""
    for reference in question.references:
        if on := {kinds[text] for text in (*reference.evidence, *reference.captions) if text in kinds}:
            yield on


def kind_of(section: str, kind: str) -> str:
    """The kind of a passage's section."""
    if kind in ("caption", "table"):
        return "captions and tables"
    title = section.casefold()
    return next(name for name, words in KINDS.items() if any(word in title for word in words))


if __name__ == "__main__":
    main()
