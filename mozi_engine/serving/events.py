"""What is sent for each event: its name, and its data as JSON. None for what is not told."""

from __future__ import annotations

import json
from dataclasses import asdict

from mozi_engine import answering
from mozi_engine.answering import Done, EvidenceFound, Searching
from mozi_engine.serving import original, voices
from mozi_engine.serving.papers import Opened
from mozi_engine.serving.streams import LAST, Sent
from mozi_engine.sessions import records
from mozi_engine.support import companion
from mozi_engine.support.companion import Replied
from mozi_engine.types import Prefill, Progress


def of_answer(question: str, model: str, read_ms: float, event: answering.Event) -> Sent:
    """An answer's: searching, evidence, prefill, token, and the record of `mozi chat --json`."""
    match event:
        case Searching(query):
            return Sent("searching", _json({"query": query}))
        case EvidenceFound(evidence):
            return Sent("evidence", records.evidence_record(question, evidence))
        case Done(answer):
            return Sent(LAST, records.answer_record(question, answer, model, read_ms))
    return _of_generation(event)


def of_reply(message: str, model: str, introduction: str, event: companion.Event) -> Sent:
    """The companion's: prefill, token (a sentence or more), and the record."""
    if isinstance(event, Replied):
        return Sent(LAST, records.reply_record(message, event.reply, model, introduction))
    return _of_generation(event)


def of_ground(event: Prefill | answering.Token | voices.Generated) -> Sent:
    """The original's questions'."""
    if isinstance(event, voices.Generated):
        return Sent(LAST, original.record(event.text, event.seconds))
    return _of_generation(event)


def of_emotion(event: companion.Event) -> Sent:
    """The original's companion's."""
    if isinstance(event, Replied):
        return Sent(LAST, original.record(event.reply.text, event.reply.timings.total_ms / 1000))
    return _of_generation(event)


def of_opening(event: Progress | Opened) -> Sent:
    """A paper's that is being read: progress, and the paper."""
    if isinstance(event, Opened):
        return Sent(LAST, _json(records.paper_record(event.ref)))
    return Sent("progress", _json(asdict(event)))


def _of_generation(event: Prefill | answering.Token | companion.Token) -> Sent:
    return Sent("prefill" if isinstance(event, Prefill) else "token", _json(asdict(event)))


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
