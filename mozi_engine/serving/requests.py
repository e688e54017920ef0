"""Bodies of requests, strictly checked: bytes in, values out; what is wrong is named."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any

from starlette.requests import Request

from mozi_engine import questions
from mozi_engine.files import size
from mozi_engine.serving.refusals import Refused
from mozi_engine.support import companion, helplines
from mozi_engine.types import Turn

MOST_JSON = 1_000_000  # bytes
MOST_PASSAGES = 20
_MOST_TURNS = 200
_ROLES = ("user", "assistant")

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a paper: its sha256, or "" for the only one. `history` is oldest first."""

    text: str
    paper: str
    history: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for in a paper, and how many passages of it are wanted."""

    text: str
    paper: str
    passages: int


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to the companion. `locale` says whose helplines are named, "" whose the settings say."""

    text: str
    history: tuple[Turn, ...]
    locale: str
    paper: str


async def received(request: Request, most: int = MOST_JSON) -> bytes:
    """The request's body. Raises Refused where it is longer than `most` bytes."""
    pieces = bytearray()
    check_length(request, most)
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > most:
            raise too_large(most)
    return bytes(pieces)


def check_length(request: Request, most: int) -> None:
    """Raise Refused where the client says itself that the body is longer than `most` bytes."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > most:
        raise too_large(most)


def too_large(most: int) -> Refused:
    """The refusal of a body that is longer than `most` bytes."""
    return Refused(413, f"the body is larger than {size(most)}", "send less at once")


def fields(body: bytes) -> Fields:
    """The JSON object in a body. Raises Refused."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        hint = """send an object, such as {"question": "What data do they use?"}"""
        raise Refused(400, f"the body is not JSON: {error}", hint) from error
    if not isinstance(given, dict):
        raise Refused(400, "the body is not a JSON object", 'send {"name": value, ...}')
    return given


def question(body: bytes) -> Question:
    """The body of a question. Raises Refused, QuestionError."""
    given = _known(fields(body), "question", "paper", "history")
    questions.check(asked := text(given, "question"))
    # The end of a conversation may begin in the middle of an exchange; what was asked there is not known.
    history = tuple(dropwhile(lambda turn: turn.role != "user", _turns(given)))
    return Question(asked.strip(), text(given, "paper", ""), history)


def search(body: bytes) -> Search:
    """The body of a search. Raises Refused, QuestionError."""
    given = _known(fields(body), "question", "paper", "passages")
    wanted = number(given, "passages", 5, least=1, most=MOST_PASSAGES)
    return Search(questions.check(text(given, "question")), text(given, "paper", ""), int(wanted))


def message(body: bytes) -> Message:
    """The body of a message to the companion. Raises Refused, QuestionError."""
    given = _known(fields(body), "message", "history", "locale", "paper")
    locale = text(given, "locale", "")
    if locale and not helplines.country_of(locale):
        raise Refused(400, f"`locale` {locale!r} names no country", "CN, en-GB or zh_TW, for example")
    said = companion.check(text(given, "message"))
    return Message(said, _turns(given), locale, text(given, "paper", ""))


def text(given: Fields, name: str, default: str | None = None) -> str:
    """The text of that name; raises Refused where it is missing and has no default."""
    value = given.get(name, default)
    if value is None:
        raise Refused(400, f"`{name}` is missing", f'send {{"{name}": "..."}}')
    return _a_text(value, f"`{name}`")


def texts(given: Fields, name: str) -> tuple[str, ...]:
    """The list of texts of that name. Raises Refused."""
    value = given.get(name)
    if not isinstance(value, list):
        raise Refused(400, f"`{name}` is not a list", f'send {{"{name}": ["...", "..."]}}')
    return tuple(_a_text(item, f"`{name}[{at}]`") for at, item in enumerate(value))


def number(given: Fields, name: str, default: float, *, least: float, most: float) -> float:
    """The number of that name, a whole one where its default is; raises Refused where it is out of range."""
    value = given.get(name, default)
    whole = isinstance(default, int)
    if not isinstance(value, int if whole else int | float) or isinstance(value, bool):
        raise Refused(400, f"`{name}` is not a {'whole ' * whole}number", f"give {least:g} to {most:g}")
    if not least <= value <= most:
        raise Refused(400, f"`{name}` {value:g} is out of range", f"give {least:g} to {most:g}")
    return value


def _known(given: Fields, *names: str) -> Fields:
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(names)}"
            raise Refused(400, f"unknown: {name!r}", hint)
    return given


def _turns(given: Fields) -> tuple[Turn, ...]:
    value: object = given.get("history", [])
    if not isinstance(value, list):
        raise Refused(400, "`history` is not a list", 'send [{"role": "user", "content": "..."}, ...]')
    if len(value) > _MOST_TURNS:
        raise Refused(400, f"`history` has {len(value)} turns", f"send the last {_MOST_TURNS} at the most")
    return tuple(_turn(item, f"`history[{at}]`") for at, item in enumerate(value))


def _turn(value: object, name: str) -> Turn:
    if not isinstance(value, dict) or set(value) != {"role", "content"} or value["role"] not in _ROLES:
        hint = 'send {"role": "user" or "assistant", "content": "..."}'
        raise Refused(400, f"{name} is not a turn of a conversation", hint)
    return Turn(value["role"], _a_text(value["content"], name))


def _a_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Refused(400, f"{name} is not a text", 'send it as "..."')
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can spell half a character: "\ud800"
        raise Refused(400, f"{name} is not Unicode text", "send whole characters") from error
    return value
