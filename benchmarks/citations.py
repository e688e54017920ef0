"""How well support tells the evidence of an answer from other passages.

    python benchmarks/citations.py QASPER.json

QASPER.json is in the published form (Dasigi et al., 2021), such as qasper-train-v0.3.json. Each annotator's
answer is aligned with its own evidence, with the evidence of another question about the same paper,
and with that of another paper; a good threshold lies between the first and the other two.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mozi_engine.citations import SUPPORTED, cite
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.types import Evidence, Passage

PERCENTILES = (10, 25, 50, 75, 90)


class Labelled(NamedTuple):
    """One annotator's answer to one question."""

    paper: str
    question: str
    kind: str
    answer: str
    evidence: tuple[str, ...]


def main() -> None:
    """Print the distribution of support, by type of answer and source of evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("qasper", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311
    labelled = list(read(json.loads(options.qasper.read_text("utf-8"))))
    encoder = Encoder()
    print(f"| answer | evidence | n | {' | '.join(f'p{p}' for p in PERCENTILES)} | cited at {SUPPORTED} |")
    print(f"|---|---|---|{'---|' * len(PERCENTILES)}---|")
    for kind in ("extractive", "abstractive", "yes/no"):
        items = [item for item in labelled if item.kind == kind]
        for source, pairs in sources(items, labelled, rng).items():
            support = [best_support(item, evidence, encoder) for item, evidence in pairs]
            marks = " | ".join(f"{value:.2f}" for value in np.percentile(support, PERCENTILES))
            cited = np.mean(np.array(support) >= SUPPORTED)
            print(f"| {kind} | {source} | {len(pairs)} | {marks} | {cited:.0%} |")


def read(papers: dict[str, dict]) -> Iterator[Labelled]:  # type: ignore[type-arg]
    """Every answer that has text as evidence."""
    for paper, record in papers.items():
        for qa in record["qas"]:
            for answer in (entry["answer"] for entry in qa["answers"]):
                evidence = tuple(text for text in answer["evidence"] if not text.startswith("FLOAT SELECTED"))
                kind, text = said(answer)
                if evidence and text:
                    yield Labelled(paper, qa["question"], kind, text, evidence[:4])


def said(answer: dict) -> tuple[str, str]:  # type: ignore[type-arg]
    """The answer's type and text."""
    if answer["extractive_spans"]:
        return "extractive", "; ".join(answer["extractive_spans"])
    if answer["free_form_answer"]:
        return "abstractive", answer["free_form_answer"]
    return "yes/no", {True: "Yes.", False: "No.", None: ""}[answer["yes_no"]]


def sources(
    items: Sequence[Labelled], labelled: Sequence[Labelled], rng: random.Random
) -> dict[str, list[tuple[Labelled, tuple[str, ...]]]]:
    """Each answer with its own evidence, and with evidence that is another's."""
    same, other = [], []
    for item in items:
        near = [x for x in labelled if x.paper == item.paper and not {*x.evidence} & {*item.evidence}]
        same += [(item, rng.choice(near).evidence)] if near else []
        other.append((item, rng.choice([x for x in labelled if x.paper != item.paper]).evidence))
    return {"its own": [(x, x.evidence) for x in items], "same paper": same, "another paper": other}


def best_support(item: Labelled, texts: Sequence[str], encoder: Encoder) -> float:
    """Support in [0, 1] of the answer's best supported sentence."""
    evidence = [Evidence(Passage(i, "", text, "text", ()), 1.0, i + 1) for i, text in enumerate(texts)]
    return cite(item.answer, item.question, evidence, encoder.encode).support


if __name__ == "__main__":
    main()
