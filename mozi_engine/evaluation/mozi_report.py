"""The protocol of the Mozi technical report (Lan et al., 2023, Tables 5 and 6), easier than the official one.

Only what an annotator answered is asked, questions of a paper with the same text are one, and only answers
are scored. Where this differs from the report's own script (gmftbyGMFTBY/science-llm, evaluate_v1.py): that
merged questions of all papers; BLEU is sacrebleu's where that used NLTK's without smoothing; ROUGE-Lsum is of
the best reference where that took the first; the best precision, recall and F1 count once a question, where
that averaged a running maximum over the references. The script leaves yes/no questions out: "Answer-F1
without yes/no" is the figure to hold beside it. Intervals are over papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.evaluation import metrics, overlap
from mozi_engine.evaluation.bootstrap import mean
from mozi_engine.evaluation.official import Predictions, clusters
from mozi_engine.evaluation.report import Table

BertScore = Callable[[Sequence[str], Sequence[Sequence[str]]], list[float]]


@dataclass(frozen=True, slots=True)
class Item:
    """A question as this protocol asks it: what was said ("" for nothing), and all right answers."""

    id: str
    said: str
    references: tuple[str, ...]
    boolean: bool


def items(papers: Sequence[QasperPaper], predictions: Predictions) -> list[Item]:
    """The answerable questions, those of a paper with the same text as one: the first that was answered."""
    found = []
    for paper in papers:
        same: dict[str, list[int]] = {}
        for place, question in enumerate(paper.questions):
            same.setdefault(" ".join(question.text.split()), []).append(place)
        for places in same.values():
            asked = [paper.questions[place] for place in places]
            answers = [r for question in asked for r in question.references if r.type != "none"]
            if answers:
                said = [predictions[q.id].predicted_answer for q in asked if q.id in predictions]
                references = tuple(dict.fromkeys(answer.text for answer in answers))
                boolean = all(answer.type == "boolean" for answer in answers)
                found.append(Item(asked[0].id, said[0] if said else "", references, boolean))
    return found


def mozi_report(
    papers: Sequence[QasperPaper], predictions: Predictions, bert_score: BertScore | None = None
) -> Table:
    """BLEU, ROUGE-Lsum, BERTScore-F1 where it can be computed, Answer-P, -R and -F1; no answer counts 0."""
    asked = items(papers, predictions)
    answers = {item.id: _best(item) for item in asked}
    boolean = {item.id for item in asked if item.boolean}
    measures = [
        mean("BLEU", {item.id: overlap.bleu(item.said, item.references) for item in asked}),
        mean("ROUGE-Lsum", {item.id: overlap.rouge(item.said, item.references) for item in asked}),
    ]
    if bert_score:
        found = bert_score([item.said for item in asked], [item.references for item in asked])
        measures.append(mean("BERTScore-F1", {item.id: f1 for item, f1 in zip(asked, found, strict=True)}))
    measures += [
        mean("Answer-P", {key: best.precision for key, best in answers.items()}),
        mean("Answer-R", {key: best.recall for key, best in answers.items()}),
        mean("Answer-F1", {key: best.f1 for key, best in answers.items()}),
        mean(
            "Answer-F1 without yes/no",
            {key: best.f1 for key, best in answers.items() if key not in boolean},
        ),
    ]
    return Table("mozi-report", tuple(measures), clusters(papers))


def _best(item: Item) -> metrics.Overlap:
    """The best of each over the references; they need not be of the same one."""
    scored = [metrics.token_overlap(item.said, reference) for reference in item.references]
    return metrics.Overlap(
        max(score.precision for score in scored),
        max(score.recall for score in scored),
        max(score.f1 for score in scored),
    )
