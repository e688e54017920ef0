"""The papers at hand as one file that `mozi prepare arxiv` takes.

    python benchmarks/pretrain_texts.py ARXIV QASPER.json OUT.jsonl
    mozi prepare arxiv OUT.jsonl CORPUS --tokenizer BASE/tokenizer.json --held-out 0.2

RedPajama's records (*.jsonl) and the main LaTeX files below ARXIV, and the papers of a QASPER file; a paper
that came already is left out. The last is for the training split only, of which nothing is evaluated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from mozi_engine import files
from mozi_engine.datasets import latex, qasper
from mozi_engine.datasets.qasper import QasperPaper


def main() -> None:
    """Write the file, and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("arxiv", "qasper", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    found: dict[str, str] = {}
    for identity, text in (*redpajama(given.arxiv), *sources(given.arxiv), *papers(given.qasper)):
        found.setdefault(identity, text)
    with files.atomic(given.out) as file:
        for identity, text in found.items():
            record = {"text": text, "meta": {"arxiv_id": identity}}
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
    print(f"{len(found)} papers, {sum(map(len, found.values())):,} characters")


def redpajama(folder: Path) -> Iterator[tuple[str, str]]:
    """The records, by arXiv id."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            yield record["meta"]["arxiv_id"], record["text"]


def sources(folder: Path) -> Iterator[tuple[str, str]]:
    """Papers in LaTeX, each with what it inputs, by the name of their folder."""
    for path in sorted(folder.rglob("*.tex")):
        text = latex.assemble(path)
        if latex.is_main(text):
            yield path.parent.name, text


def papers(path: Path) -> Iterator[tuple[str, str]]:
    """Title, abstract, then the sections with their headings; tables and figures have no text here."""
    for item in qasper.read(path):
        if isinstance(item, QasperPaper):
            parts, section = [item.title, item.abstract], ""
            for passage in (passage for passage in item.passages if passage.kind == "text"):
                parts += [passage.section] if passage.section != section else []
                section = passage.section
                parts.append(passage.text)
            yield item.id, "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    main()
