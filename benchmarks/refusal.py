"""At which precision "not in this paper" could be said, and how often: a run's refusals, the surest first.

    python benchmarks/refusal.py qasper-test-a-v0.3.json.gz runs/test-retrieved

A run is a folder of `mozi eval qasper`. The less chance the search gives the best passage of a question, the
surer is the refusal; what the model refuses is ranked by itself too. No model is loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from mozi_engine.datasets import qasper
from mozi_engine.datasets.qasper import UNANSWERABLE, QasperPaper
from mozi_engine.evaluation import qasper as answers
from mozi_engine.evaluation import retrieval
from mozi_engine.evaluation.official import Prediction

PRECISIONS = (0.9, 0.75, 0.5, 0.25)

Refusal = tuple[float, bool]  # the first passage's chance, and whether the paper does not answer


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    papers = [item for item in qasper.read(given.data) if isinstance(item, QasperPaper)]
    asked = list(questions(papers, answers.read(given.run)))
    absent = sum(missing for _, _, missing in asked)
    print(f"{len(asked)} questions, {absent} of them unanswerable to most annotators.\n")
    print("| precision of at least | " + " | ".join(f"{each:.0%}" for each in PRECISIONS) + " |")
    print("|---|" + "---|" * len(PRECISIONS))
    for name, ranked in (
        ("recall, by the search's doubt", [(chance, missing) for chance, _, missing in asked]),
        ("recall, of what the model refuses", [(chance, missing) for chance, said, missing in asked if said]),
    ):
        cells = (cell(ranked, precision, absent) for precision in PRECISIONS)
        print(f"| {name} | {' | '.join(cells)} |")


def questions(
    papers: Sequence[QasperPaper], predictions: dict[str, Prediction]
) -> Iterator[tuple[float, bool, bool]]:
    """Each answered question's first chance, whether it was refused, and whether that is right."""
    encoder = retrieval.encoder_of("hybrid")
    build = retrieval.builder("hybrid", encoder)
    for paper in papers:
        retriever = build(paper.id, paper.passages)
        for question in paper.questions:
            if question.id in predictions:
                (first,) = retriever.search(question.text, 1)
                said = predictions[question.id].predicted_answer == UNANSWERABLE
                yield first.chance or 0.0, said, question.unanswerable


def cell(refusals: Sequence[Refusal], precision: float, absent: int) -> str:
    """The largest recall of a ranking's beginning that is so precise, and how many that are."""
    right, best = 0, (0, 0)
    for place, (_, missing) in enumerate(sorted(refusals), start=1):
        right += missing
        if right >= precision * place:
            best = max(best, (right, place))
    return f"{best[0] / absent:.1%} ({best[0]} of {best[1]} right)" if absent else ""


if __name__ == "__main__":
    main()
