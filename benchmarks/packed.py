"""A run of `mozi eval qasper` as a small file that may be shared, and back; evidence by its place.

    python benchmarks/packed.py pack RUN leval-dev.json benchmarks/data/answers/leval-dev-whole.jsonl
    python benchmarks/packed.py unpack benchmarks/data/answers/leval-dev-whole.jsonl leval-dev.json RUN
    mozi eval qasper leval-dev.json RUN --evidence full --score-only

The papers' text is not in the file: whoever has the data can score the answers, or go on where the run
stopped, without asking a model again what it was asked before. The first line says what was run, and the
data's sha256; not which version of mozi made the prompts: who goes on with a run sees to that.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from mozi_engine.datasets import qasper
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.evaluation import qasper as answers
from mozi_engine.evaluation.official import Prediction
from mozi_engine.files import sha256


def main() -> None:
    """Pack or unpack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("how", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    (pack if given.how == "pack" else unpack)(given.source, given.data, given.target)


def pack(run: Path, data: Path, target: Path) -> None:
    """Write the run's predictions, in the order in which they were made."""
    asked = papers(data)
    lines = [json.loads((run / "run.json").read_text("utf-8"))]
    for prediction in answers.read(run).values():
        paper = asked[prediction.question_id]
        places = {passage.text: passage.index for passage in (*paper.opening, *paper.passages)}
        evidence = [places[text] for text in prediction.predicted_evidence]
        lines.append(
            {"question": prediction.question_id, "answer": prediction.predicted_answer, "evidence": evidence}
        )
    target.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), "utf-8")


def unpack(packed: Path, data: Path, run: Path) -> None:
    """Make the run's folder."""
    head, *lines = map(json.loads, packed.read_text("utf-8").splitlines())
    assert head["data"] == sha256(data), f"{packed} was made with other data"
    asked = papers(data)
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(head, indent=1) + "\n", "utf-8")
    with (run / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            paper = asked[line["question"]]
            texts = {passage.index: passage.text for passage in (*paper.opening, *paper.passages)}
            evidence = tuple(texts[place] for place in line["evidence"])
            made = Prediction(line["question"], line["answer"], evidence)
            file.write(json.dumps(asdict(made), ensure_ascii=False) + "\n")


def papers(data: Path) -> dict[str, QasperPaper]:
    """The paper of each question."""
    found = [item for item in qasper.read(data) if isinstance(item, QasperPaper)]
    return {question.id: paper for paper in found for question in paper.questions}


if __name__ == "__main__":
    main()
