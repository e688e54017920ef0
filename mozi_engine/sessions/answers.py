"""An Answer as compact JSON and back. Its passages go apart, under their sha256: answers share them.

Boxes are whole hundredths of a point, as in `paper.codec`, and a search's chances are left out; everything
else comes back as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from mozi_engine.paper.codec import words_as_numbers, words_from_numbers
from mozi_engine.types import Answer, Citation, Evidence, Passage, Timings


def encode(answer: Answer) -> tuple[str, dict[str, str]]:
    """The answer, and the passages it refers to: sha256 -> JSON."""
    passages: dict[str, str] = {}
    evidence = []
    for item in answer.evidence:
        encoded = encode_passage(item.passage)
        key = hashlib.sha256(encoded.encode()).hexdigest()
        passages[key] = encoded
        evidence.append([key, item.score, item.rank])
    content = {
        "text": answer.text,
        "verdict": answer.verdict,
        "evidence": evidence,
        "citations": [astuple(citation) for citation in answer.citations],
        "uncited": answer.uncited,
        "unverified": answer.unverified,
        "timings": astuple(answer.timings),
        "source": answer.source,
    }
    return _json(content), passages


def decode(text: str, passages: Mapping[str, Passage]) -> Answer:
    """The Answer of `encode`. Raises ValueError for anything else, and where a passage is missing."""
    try:
        content = json.loads(text)
        return Answer(
            content["text"],
            content["verdict"],
            tuple(Evidence(passages[key], score, rank) for key, score, rank in content["evidence"]),
            tuple(Citation((span[0], span[1]), *rest) for span, *rest in content["citations"]),
            tuple((start, end) for start, end in content["uncited"]),
            tuple((start, end) for start, end in content["unverified"]),
            Timings(*content["timings"]),
            content.get("source"),  # earlier versions kept none
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not an answer: {error!r}") from error


def encode_passage(passage: Passage) -> str:
    """One line of JSON."""
    return _json(
        [passage.index, passage.section, passage.text, passage.kind, words_as_numbers(passage.words)]
    )


def decode_passage(text: str) -> Passage:
    """The Passage of `encode_passage`. Raises ValueError for anything else."""
    try:
        index, section, words, kind, numbers = json.loads(text)
        return Passage(index, section, words, kind, words_from_numbers(numbers))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a passage: {error!r}") from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
