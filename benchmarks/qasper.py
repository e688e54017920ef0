r"""The table of docs/results/qasper.md: what mozi reaches on QASPER, beside what is published.

    mozi eval retrieval qasper-test-a-v0.3.json.gz --out retrieval.json
    mozi eval qasper qasper-test-a-v0.3.json.gz runs/retrieved --evidence retrieved
    mozi eval qasper qasper-test-a-v0.3.json.gz runs/gold --evidence gold
    python benchmarks/qasper.py --retrieval retrieval.json --answers "retrieved evidence=runs/retrieved" \
        --answers "gold evidence=runs/gold" > tables.md

Reports are only read here: nothing is computed, and no model is needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mozi_engine.evaluation import report
from mozi_engine.evaluation.bootstrap import Score
from mozi_engine.evaluation.report import Table

RETRIEVAL = (
    *(f"Evidence-F1 at {k}" for k in (1, 2, 3)),
    *("Evidence-F1, learned cutoff", "Evidence-F1, oracle cutoff", "recall at 5", "MRR", "nDCG at 10"),
)
OFFICIAL = (
    *("Answer-F1", "Evidence-F1"),
    *(f"Answer-F1, {kind}" for kind in ("extractive", "abstractive", "boolean", "none")),
)
MOZI = (
    *("BLEU", "ROUGE-Lsum", "BERTScore-F1", "Answer-P", "Answer-R", "Answer-F1"),
    "Answer-F1 without yes/no",
)
ABSENT = ("precision", "recall", "F1")

_REPORT = "Lan et al., 2023"
_DASIGI = "Dasigi et al., 2021"
PUBLISHED_RETRIEVAL = (
    ("First paragraph", "0.3", "", "", "", _DASIGI),
    ("TF-IDF", "9.2", "", "", "", _DASIGI),
    ("LED-base", "29.9", "", "", "", _DASIGI),
    ("LED-base InfoNCE", "30.6", "", "", "", "Caciularu et al., 2021"),
    ("official Longformer baseline", "39.4", "", "", "", "its authors; not seen by us"),
    ("OpenAI embeddings, of 2023", "30.0", "31.5", "29.7", "40.2", _REPORT),
    ("SciDPR (fine-tuned)", "30.4", "31.0", "29.6", "40.7", _REPORT),
    ("human, lower bound", "71.6", "", "", "", _DASIGI),
)
PUBLISHED_OFFICIAL = (
    ("official Longformer baseline", "33.6", "its authors; not seen by us"),
    ("LongT5-base, fine-tuned", "46.6", "in SCROLLS: Guo et al., 2022; Ivgi et al., 2022"),
    ("human, lower bound", "60.9", _DASIGI),
)
PUBLISHED_MOZI = (  # BLEU, ROUGE, BERTScore, Answer-P, -R, -F1
    ("Mozi-7B (Baichuan), recalled evidence", "11.8", "29.1", "87.6", "49.3", "38.0", "37.3"),
    ("Mozi-7B (LLaMA), recalled evidence", "10.7", "27.0", "86.6", "36.7", "45.4", "33.9"),
    ("ChatGLM-6B, recalled evidence", "3.7", "13.8", "84.3", "14.7", "45.7", "18.5"),
    ("Mozi-7B (Baichuan), gold evidence", "29.0", "47.1", "90.1", "63.7", "57.8", "54.3"),
    ("Mozi-7B (LLaMA), gold evidence", "29.2", "46.7", "89.6", "54.5", "65.7", "52.9"),
    ("ChatGLM-6B, gold evidence", "6.7", "20.0", "85.6", "20.0", "57.4", "25.1"),
)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--retrieval", type=Path, action="append", default=[], metavar="REPORT")
    parser.add_argument("--answers", type=_named, action="append", default=[], metavar="NAME=RUN")
    given = parser.parse_args()
    tables = [(table.name, table) for path in given.retrieval for table in report.read(path)]
    if tables:
        _print("Evidence", tables, RETRIEVAL)
        _published(("", "at 1", "at 2", "at 3", "oracle cutoff", "source"), PUBLISHED_RETRIEVAL)
    runs = [(name, report.read(run / "report.json")) for name, run in given.answers]
    for title, protocol, columns in (
        ("Answers, the official protocol", "official", OFFICIAL),
        ("Answers, the Mozi report's protocol", "mozi-report", MOZI),
        ("Saying that the paper does not answer", "not in the paper", ABSENT),
    ):
        found = [(name, table) for name, run in runs for table in run if table.name == protocol]
        if found:
            _print(title, found, columns)
    _published(("", "Answer-F1", "source"), PUBLISHED_OFFICIAL)
    _published(("Lan et al., 2023, Table 5", *MOZI[:-1]), PUBLISHED_MOZI)


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    return name, Path(path)


def _print(title: str, tables: Sequence[tuple[str, Table]], columns: Sequence[str]) -> None:
    scored = [(name, {score.name: score for score in table.scores()}, table) for name, table in tables]
    kept = [column for column in columns if any(column in scores for _, scores, _ in scored)]
    counts = sorted({scores[kept[0]].n for _, scores, _ in scored})
    print(f"## {title}\n")
    print(f"{' / '.join(map(str, counts))} questions; percent, with 95% intervals over papers.\n")
    _row(("", *kept, ""))
    _row(("---",) * (len(kept) + 2))
    for name, scores, table in scored:
        _row((name, *(_cell(scores.get(column)) for column in kept), "; ".join(table.notes)))
    print()


def _cell(score: Score | None) -> str:
    if score is None or not score.interval:
        return ""
    low, high = (f"{bound * 100:.1f}" for bound in score.interval)
    return f"{score.value * 100:.1f} ({low} to {high})"


def _published(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("Published, on the whole test set:\n")
    _row(columns)
    _row(("---",) * len(columns))
    for row in rows:
        _row(row)
    print()


def _row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
