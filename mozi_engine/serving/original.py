"""The two requests of the original Mozi's demo (BIT, 2023, `deploy.py`): its clients find them here.

POST /paper_ground_dialog   {"question", "evidences": [...]}: the client has searched the paper itself
POST /emotional_dialog      {"history": ["Human: ...", "Bot: ...", "Human: ..."]}

Both take `decoding_method` ("greedy", "sampling" or "contrastive"), `top_p`, `top_k`, `penalty_alpha` and
`max_new_tokens`, and answer {"time": seconds, "is_succ", "generation"}. What the original needed may be left
out here; what else a client sends is passed over, as it was.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mozi_engine import questions
from mozi_engine.errors import SettingsError
from mozi_engine.serving import requests
from mozi_engine.serving.refusals import Refused
from mozi_engine.serving.requests import Fields, Message
from mozi_engine.support import companion
from mozi_engine.types import GenerationSettings, Turn

_MARK = re.compile(r"(human|bot)\s*[:：]\s*", re.IGNORECASE)
_MOST_TOKENS = 2048  # the original's context
_MOST_TOP_K = 1000


@dataclass(frozen=True, slots=True)
class Grounded:
    """A question with what it is to be answered from. `decoding` is None for a method that is unknown."""

    question: str
    evidences: tuple[str, ...]
    decoding: GenerationSettings | None


@dataclass(frozen=True, slots=True)
class Emotional:
    """A message to the companion. `decoding` is None for a method that is unknown."""

    message: Message
    decoding: GenerationSettings | None


def grounded(body: bytes, engine: str) -> Grounded:
    """The body of /paper_ground_dialog. Raises Refused, QuestionError, SettingsError."""
    given = requests.fields(body)
    asked = questions.check(requests.text(given, "question"))
    return Grounded(asked, requests.texts(given, "evidences"), _decoding(given, engine))


def emotional(body: bytes, engine: str) -> Emotional:
    """The body of /emotional_dialog. Raises Refused, QuestionError, SettingsError."""
    given = requests.fields(body)
    said, before = _conversation(requests.texts(given, "history"))
    return Emotional(Message(companion.check(said), before, "", ""), _decoding(given, engine))


def record(text: str, seconds: float, *, succeeded: bool = True) -> str:
    """The answer to both, as JSON."""
    return json.dumps({"time": seconds, "is_succ": succeeded, "generation": text}, ensure_ascii=False)


def _conversation(history: tuple[str, ...]) -> tuple[str, tuple[Turn, ...]]:
    """What was said last and what before it. Lines that do not say whose they are alternate."""
    turns = []
    for back, line in enumerate(reversed(history)):
        mark = _MARK.match(line)
        bot = mark[1].casefold() == "bot" if mark else bool(back % 2)
        turns.append(Turn("assistant" if bot else "user", line[mark.end() :] if mark else line))
    if not turns or turns[0].role != "user":
        raise Refused(400, "the last of `history` is not the person's", 'end it with "Human: ..."')
    said, *before = turns
    return said.text, tuple(reversed(before))


def _decoding(given: Fields, engine: str) -> GenerationSettings | None:
    method = requests.text(given, "decoding_method", "greedy")
    top_p = requests.number(given, "top_p", 1.0, least=0, most=1)
    top_k = int(requests.number(given, "top_k", 0, least=0, most=_MOST_TOP_K))
    alpha = requests.number(given, "penalty_alpha", 0.0, least=0, most=1)
    longest = int(requests.number(given, "max_new_tokens", 128, least=1, most=_MOST_TOKENS))
    match method:
        case "greedy":
            return GenerationSettings(max_new_tokens=longest)
        case "sampling":
            return GenerationSettings(1.0, top_p, top_k, longest)
        case "contrastive" if engine == "torch":
            return GenerationSettings(top_k=top_k, max_new_tokens=longest, penalty_alpha=alpha)
        case "contrastive":
            hint = "mozi serve --engine torch, or greedy, or sampling"
            raise SettingsError("contrastive search needs the torch engine", hint)
    return None
