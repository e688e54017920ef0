"""What a Chinese question on an English paper keeps of its evidence.

    python benchmarks/chinese.py OUT.jsonl QASPER.json …

The questions of the QASPER files that `benchmarks/data/qasper_zh.jsonl` has in Chinese (translated from
QASPER, CC BY 4.0, by a language model at work on mozi; no native speaker has reviewed them), searched in
English as published, in Chinese as typed, and in the English that the default model makes of the Chinese, as
`mozi chat` does. OUT keeps what the model wrote (seconds a question, once). Prints the share of the evidence
that the four best passages hold (`coverage.py`), with paired intervals over papers, as Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from coverage import share

from mozi_engine import prompts
from mozi_engine.datasets.qasper import QasperPaper, Question, read
from mozi_engine.evaluation import bootstrap
from mozi_engine.evaluation.retrieval import builder
from mozi_engine.generation import engines
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import load
from mozi_engine.types import GenerationSettings, Retriever, Turn

TRANSLATED = Path(__file__).parent / "data" / "qasper_zh.jsonl"
PASSAGES = 4
DECODING = GenerationSettings(max_new_tokens=64)


def main() -> None:
    """Write what the model makes of the questions, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    options = parser.parse_args()
    papers = [paper for path in options.data for paper in read(path) if isinstance(paper, QasperPaper)]
    chinese = written(TRANSLATED)
    asked = {q.id: (paper, q) for paper in papers for q in paper.questions if q.evidence and q.id in chinese}
    translate({item: chinese[item] for item in asked}, options.out)
    english = {item: question.text for item, (_, question) in asked.items()}
    clusters = {item: paper.id for item, (paper, _) in asked.items()}
    build = builder("hybrid", Encoder())
    retrievers = {paper.id: build(paper.id, paper.passages) for paper in papers}
    held = partial(evidence_held, asked, retrievers)
    measures = (
        held("in English, as published", english),
        held("in Chinese, as typed", chinese),
        held("put into English by the model", written(options.out)),
    )
    table(measures, clusters)
    print(f"\n{len(asked)} questions of {len(set(clusters.values()))} papers.")


def table(measures: Sequence[bootstrap.Measure], clusters: Mapping[str, str]) -> None:
    """One row a measure, each against the first."""
    print("| question | evidence held | 95% interval | against English |\n|---|---|---|---|")
    for measure in measures:
        score = bootstrap.score(measure, clusters)
        low, high = score.interval or (0.0, 0.0)
        apart = bootstrap.difference(measures[0], measure, clusters)
        by = f"{apart.second - apart.first:+.2f} ({apart.interval[0]:+.2f} to {apart.interval[1]:+.2f})"
        print(f"| {score.name} | {score.value:.2f} | {low:.2f}-{high:.2f} | {by} |")


def translate(questions: Mapping[str, str], out: Path) -> None:
    """Append the model's English for every question that OUT does not have yet."""
    known = written(out)
    missing = {item: text for item, text in questions.items() if item not in known}
    if not missing:
        return
    model = engines.load(load())
    with out.open("a", encoding="utf-8") as file:
        for item, question in missing.items():
            prompt: Sequence[Turn] = prompts.render_standalone((), question, "English")
            text = "".join(piece for piece in model.stream(prompt, DECODING) if isinstance(piece, str))
            line = text.strip().partition("\n")[0]
            file.write(json.dumps({"id": item, "question": line}, ensure_ascii=False) + "\n")
            file.flush()


def written(path: Path) -> dict[str, str]:
    """The questions of a file, by id; none where there is no file."""
    rows = map(json.loads, path.read_text("utf-8").splitlines()) if path.exists() else ()
    return {row["id"]: row["question"] for row in rows}


def evidence_held(
    asked: Mapping[str, tuple[QasperPaper, Question]],
    retrievers: Mapping[str, Retriever],
    name: str,
    questions: Mapping[str, str],
) -> bootstrap.Measure:
    """The share of the evidence that the best passages hold, asked in the words of `questions`."""
    return bootstrap.mean(
        name,
        {
            item: share(question.references, retrievers[paper.id].search(questions[item], PASSAGES))
            for item, (paper, question) in asked.items()
        },
    )


if __name__ == "__main__":
    main()
