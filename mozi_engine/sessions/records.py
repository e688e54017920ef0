"""Answers, evidence and conversations as JSON, for programs: an answer looks the same in all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mozi_engine.sessions.conversations import Conversation, Exchange, PaperRef, Session, Summary
from mozi_engine.types import Answer, Citation, Evidence

if TYPE_CHECKING:
    from mozi_engine.support.companion import Reply


def answer_record(question: str, answer: Answer, model: str, read_ms: float) -> str:
    """One question's answer, on one line. `quote` is, to the letter, `evidence[passage].text[start:end]`."""
    record = {"question": question, **_answer(answer), "model": model}
    return _line(record | {"timings": {"read_ms": read_ms, **asdict(answer.timings)}})


def evidence_record(question: str, evidence: Sequence[Evidence]) -> str:
    """One question's passages, best first, on one line."""
    return _line({"question": question, "evidence": [_evidence(item) for item in evidence]})


def reply_record(message: str, reply: Reply, model: str, introduction: str) -> str:
    """One reply of the companion's, on one line. `introduction` is said before the first."""
    record = {
        "introduction": introduction,
        "message": message,
        "reply": reply.text,
        "strategy": reply.strategy,
        "reason": reply.reason,
        "risk": asdict(reply.risk) if reply.risk else None,
        "evidence": [_evidence(item) for item in reply.evidence],
        "model": model,
    }
    return _line(record | {"timings": asdict(reply.timings)})


def paper_record(paper: PaperRef) -> dict[str, Any]:
    """A paper, as part of other records."""
    return {"sha256": paper.id, "title": paper.title, "reference": paper.reference, "pages": paper.pages}


def conversation_record(conversation: Conversation) -> str:
    """A conversation. Its exchanges are answer records, with their mode, state, detail and time."""
    record = _session(conversation.session)
    return _indented(record | {"exchanges": [_exchange(item) for item in conversation.exchanges]})


def summaries_record(summaries: Sequence[Summary]) -> str:
    """A list of conversations."""
    return _indented(
        [
            _session(summary.session) | {"questions": summary.count, "last_question": summary.question}
            for summary in summaries
        ]
    )


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "mode": session.mode,
        "paper": paper_record(session.paper) if session.paper else None,
        "model": session.model,
        "created": session.created.isoformat(),
        "updated": session.updated.isoformat(),
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    record: dict[str, Any] = {"question": exchange.question, "answer": exchange.text}
    if exchange.answer:
        record |= _answer(exchange.answer) | {"timings": asdict(exchange.answer.timings)}
    return record | {
        "mode": exchange.mode,
        "model": exchange.model,
        "state": exchange.state,
        "detail": exchange.detail,
        "asked": exchange.asked.isoformat(),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "answer": answer.text,
        "verdict": answer.verdict,
        "from": answer.source,
        "evidence": [_evidence(item) for item in answer.evidence],
        "citations": [_citation(answer, citation) for citation in answer.citations],
        "uncited": [answer.text[start:end] for start, end in answer.uncited],
        "unverified_numbers": [answer.text[start:end] for start, end in answer.unverified],
    }


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


def _indented(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
