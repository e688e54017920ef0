"""Answers and evidence as JSON: one object a line, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mozi_engine.types import Answer, Citation, Evidence


def answer_record(question: str, answer: Answer, model: str, read_ms: float) -> str:
    """One question's answer. `quote` is, to the letter, `evidence[passage].text[start:end]`."""
    return _line(
        {
            "question": question,
            "answer": answer.text,
            "verdict": answer.verdict,
            "evidence": [_evidence(item) for item in answer.evidence],
            "citations": [_citation(answer, citation) for citation in answer.citations],
            "uncited": [answer.text[start:end] for start, end in answer.uncited],
            "unverified_numbers": [answer.text[start:end] for start, end in answer.unverified],
            "model": model,
            "timings": {"read_ms": read_ms, **asdict(answer.timings)},
        }
    )


def evidence_record(question: str, evidence: Sequence[Evidence]) -> str:
    """One question's passages, best first."""
    return _line({"question": question, "evidence": [_evidence(item) for item in evidence]})


def _evidence(item: Evidence) -> dict[str, Any]:
    passage = item.passage
    return {
        "index": passage.index,
        "page": passage.page,
        "section": passage.section,
        "kind": passage.kind,
        "text": passage.text,
        "score": item.score,
        "boxes": [asdict(box) for box in passage.boxes()],
    }


def _citation(answer: Answer, citation: Citation) -> dict[str, Any]:
    passage = answer.evidence[citation.evidence].passage
    boxes = passage.boxes(citation.start, citation.end)
    return {
        "sentence": answer.text[slice(*citation.sentence)],
        "passage": citation.evidence,
        "start": citation.start,
        "end": citation.end,
        "quote": passage.text[citation.start : citation.end],
        "page": boxes[0].page if boxes else passage.page,
        "boxes": [asdict(box) for box in boxes],
        "support": round(citation.support, 3),
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
