"""Support dialogues of several forms, screened for crisis, as conversations to learn from.

original   a list of strings, "Human: …" and "Bot: …" in turn (the original Mozi's)
smile      turns: [role: client or counselor, content] (Qiu et al., 2023), or the list of turns alone
esconv     turns: [speaker: seeker or supporter, text] or dialog: [speaker, content] (Liu et al., 2021)
sharegpt   conversations: [from: human or gpt, value]
emollm     conversation: [input, output]
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from mozi_engine import prompts
from mozi_engine.datasets import examples, manifest, records
from mozi_engine.datasets.examples import Conversation, LeftOut
from mozi_engine.datasets.manifest import Manifest, Writer
from mozi_engine.datasets.records import Skipped, text
from mozi_engine.errors import DataError
from mozi_engine.types import Progress, Role, Turn

_ROLES: Mapping[str, Role] = {
    "human": "user", "client": "user", "seeker": "user", "user": "user", "usr": "user",
    "bot": "assistant", "counselor": "assistant", "supporter": "assistant", "gpt": "assistant",
    "assistant": "assistant", "sys": "assistant", "system": "system",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """`form` is one of FORMS, or "" where each record tells; `held_out` is the part that goes to test."""

    form: str = ""
    held_out: float = 0.1
    licence: str = "not stated"
    seed: int = 0
    tolerance: float = records.TOLERANCE


def prepare(
    raw: Path, out: Path, screen: Callable[[str], bool], options: Options | None = None
) -> Iterator[Progress | Manifest]:
    """Read `raw` (.jsonl, .json, packed, or a folder) and write train and test; the manifest comes last.

    A dialogue with a turn that `screen` flags goes to flagged.jsonl, with the number of that message (from
    0), and to no split. A dialogue's split depends on its words and the seed alone. Raises DataError when a
    file cannot be read or too many records are broken; `out` then has no file.
    """
    options = options or Options()
    paths = records.found(raw, (".jsonl", ".json"))
    skipped: list[Skipped] = []
    known: set[bytes] = set()
    whole = 0
    with manifest.writing(out) as writer:
        for item in (read for path in paths for read in _conversations(path, options.form)):
            if isinstance(item, Skipped):
                skipped.append(item)
                continue
            whole += 1
            _write(writer, item, screen, options, known)
            yield Progress("preparing", whole, None, "records")
        yield Progress("preparing", whole, whole, "records")
        records.check(skipped, whole, options.tolerance)
        read_from = manifest.named(raw, paths)
        made = manifest.made(writer, "dialogues", options.licence, options, read_from, skipped)
    yield manifest.finish(out, made)


def _write(
    writer: Writer,
    item: Conversation | LeftOut,
    screen: Callable[[str], bool],
    options: Options,
    known: set[bytes],
) -> None:
    if isinstance(item, LeftOut):
        return writer.leave_out("all", item.why)
    words = "\0".join([str(options.seed), *(turn.text for turn in item.turns)])
    digest = hashlib.sha256(words.encode()).digest()
    if digest in known:
        return writer.leave_out("all", "a copy of an earlier dialogue")
    known.add(digest)
    told = list(enumerate(item.turns))[1:]  # the first is the system's, which is the same for all
    flagged = next((number for number, turn in told if screen(turn.text)), None)
    if flagged is not None:
        writer.count("flagged", "dialogues")
        return writer.write("flagged.jsonl", examples.record(item, flagged=flagged))
    split = "test" if int.from_bytes(digest[:8]) < options.held_out * 2**64 else "train"
    writer.count(split, "dialogues")
    writer.count(split, "turns", len(told))
    return writer.write(f"{split}/sft.jsonl", examples.record(item))


def _conversations(path: Path, form: str) -> Iterator[Conversation | LeftOut | Skipped]:
    for name, number, record in _records(path):
        if isinstance(record, Skipped):
            yield record
            continue
        known = record.get("id") if isinstance(record, dict) else None
        identity = str(known) if isinstance(known, str | int) else f"{name.partition('.')[0]}-{number}"
        yield records.attempt(name, number, identity, partial(_conversation, identity, record, form))


def _records(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Each dialogue's file, place in it and record: a line of .jsonl, or an item of .json's list."""
    if ".jsonl" in path.name:
        yield from records.lines(path, kinds=(dict, list))
        return
    for name, content in records.documents(path):
        if not isinstance(content, dict | list):
            hint = f"give dialogues of a known form: {', '.join(FORMS)}"
            raise DataError(f"{name} holds no dialogues: {content!r:.40}", hint=hint)
        for number, record in enumerate([content] if _is_one(content) else content, start=1):
            yield name, number, record


def _is_one(content: dict[str, Any] | list[Any]) -> bool:
    """Whether a file holds one dialogue: an object, a list of lines, or a list of turns."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(content, dict) or isinstance(first, str) or _is_turn(first)


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and {"role", "content"} <= set(value)


def _conversation(identity: str, record: Any, form: str) -> Conversation | LeftOut:
    """From the person's first turn to the last reply; turns of one side that follow each other are one.

    Raises LookupError, TypeError or ValueError where the record is broken.
    """
    turns = _turns(record, form)
    told = [turn for turn in turns if turn.text and turn.role != "system"]
    joined = [
        Turn(role, "\n".join(turn.text for turn in inside))
        for role, inside in groupby(told, key=lambda turn: turn.role)
    ]
    first = 1 if joined and joined[0].role == "assistant" else 0
    last = len(joined) - 1 if joined and joined[-1].role == "user" else len(joined)
    if last - first < 2:
        return LeftOut("no reply in it")
    spoken = prompts.language(joined[first].text)
    system = prompts.SUPPORT["Chinese" if spoken == "Chinese" else ""]
    return Conversation(text(identity), "support", (Turn("system", system), *joined[first:last]))


def _turns(record: Any, form: str) -> list[Turn]:
    turns = FORMS[form or _form(record)](record)
    return [replace(turn, text=turn.text.strip()) for turn in turns]


def _form(record: Any) -> str:
    """The form that the record's keys tell. Raises ValueError when they tell none."""
    if isinstance(record, list) and record:
        return "original" if isinstance(record[0], str) else "smile"
    keys = set(record) if isinstance(record, dict) else set()
    if "turns" in keys and record["turns"]:
        return "esconv" if "speaker" in record["turns"][0] else "smile"
    for key, form in (("dialog", "esconv"), ("conversations", "sharegpt"), ("conversation", "emollm")):
        if key in keys:
            return form
    raise ValueError("a dialogue of no known form")


def _original(record: Any) -> list[Turn]:
    turns = []
    for line in record:
        role, colon, said = text(line).partition(":")
        if not colon:
            raise ValueError(f"{line!r:.40} says not who speaks")
        turns.append(Turn(_role(role), said))
    return turns


def _smile(record: Any) -> list[Turn]:
    turns = record if isinstance(record, list) else record["turns"]
    return [Turn(_role(turn["role"]), text(turn["content"])) for turn in turns]


def _esconv(record: Any) -> list[Turn]:
    if "turns" in record:
        return [Turn(_role(turn["speaker"]), text(turn["text"])) for turn in record["turns"]]
    return [Turn(_role(turn["speaker"]), text(turn["content"])) for turn in record["dialog"]]


def _sharegpt(record: Any) -> list[Turn]:
    return [Turn(_role(turn["from"]), text(turn["value"])) for turn in record["conversations"]]


def _emollm(record: Any) -> list[Turn]:
    return [
        turn
        for pair in record["conversation"]
        for turn in (Turn("user", text(pair["input"])), Turn("assistant", text(pair["output"])))
    ]


def _role(name: Any) -> Role:
    try:
        return _ROLES[text(name).strip().casefold()]
    except KeyError:
        raise ValueError(f"{name!r:.40} is neither the person nor the one who replies") from None


FORMS: Mapping[str, Callable[[Any], list[Turn]]] = {
    "original": _original,
    "smile": _smile,
    "esconv": _esconv,
    "sharegpt": _sharegpt,
    "emollm": _emollm,
}
