"""Papers and questions in QASPER's published form, made small."""

from __future__ import annotations

from typing import Any

LONG = " ".join(
    f"Sentence {number} says that the graph of level {number} has many nodes." for number in range(30)
)


def answer(**changes: Any) -> dict[str, Any]:
    """One annotator's answer; without changes it is of no type."""
    empty = {"unanswerable": False, "extractive_spans": [], "yes_no": None, "free_form_answer": ""}
    made = empty | {
        "evidence": ["We use SQuAD and NQ for all of our experiments, as others have done before us."]
    }
    return {"answer": made | {"highlighted_evidence": ["We use SQuAD"]} | changes, "worker_id": "w"}


def question(identity: str, *answers: dict[str, Any], text: str = "Which data is used?") -> dict[str, Any]:
    return {"question": text, "question_id": identity, "answers": list(answers)}


def paper(*questions: dict[str, Any], title: str = "A Graph") -> dict[str, Any]:
    return {
        "title": title,
        "abstract": "We build a graph.",
        "full_text": [
            {
                "section_name": "Data",
                "paragraphs": [
                    "We use SQuAD and NQ for all of our experiments, as others have done before us.",
                    "",
                    "The trees that grow in the garden of the institute are described in another paper.",
                ],
            },
            {"section_name": "Graphs ::: Levels", "paragraphs": [LONG, "Short one.", "Another short one."]},
        ],
        "figures_and_tables": [{"file": "1.png", "caption": "Table 1: The sizes of all data sets."}],
        "qas": list(questions),
    }


def many(papers: int, questions: int = 3) -> dict[str, Any]:
    """So many papers of QASPER's form, all their answers whole."""
    return {
        f"paper{p}": paper(
            *(question(f"q{p}-{q}", answer(extractive_spans=[f"span {q}"])) for q in range(questions))
        )
        for p in range(papers)
    }
