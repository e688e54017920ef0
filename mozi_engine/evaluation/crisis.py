"""How well a screen tells messages that may be about suicide or self-harm from those that are not.

The labelled file has lines of `{"text", "label": "risk" or "none", "lang"}`, and `class` and `template` where
they are known. Intervals are over templates: messages made from one pattern are found or missed together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mozi_engine.errors import DataError
from mozi_engine.evaluation import runs
from mozi_engine.evaluation.bootstrap import mean
from mozi_engine.evaluation.report import Table

Screen = Callable[[str], bool]
_HINT = 'each line is an object like {"text": "…", "label": "risk", "lang": "en"}'


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message, whether it is one of risk, its language, its class ("" where unknown) and its template."""

    text: str
    risk: bool
    language: str
    kind: str
    template: str


def read(path: Path) -> list[Labelled]:
    """The labelled messages. Raises DataError for a line of another form, or none at all."""
    found = []
    for number, line in enumerate(runs.lines(path, _HINT), start=1):
        text, label = line.get("text"), line.get("label")
        if not isinstance(text, str) or label not in ("risk", "none"):
            raise DataError(f"{path}, line {number} is no labelled message", hint=_HINT)
        known = [str(line.get(key) or "") for key in ("lang", "class", "template")]
        found.append(Labelled(text, label == "risk", known[0], known[1], known[2] or str(number)))
    if not found:
        raise DataError(f"{path} has no message in it", hint=_HINT)
    return found


def table(messages: Sequence[Labelled], screen: Screen) -> Table:
    """Recall on messages of risk and false alarms on the others; in all, by language and by class."""
    flagged = {str(number): float(screen(message.text)) for number, message in enumerate(messages, start=1)}
    groups: dict[str, list[str]] = {}
    for number, message in enumerate(messages, start=1):
        name = "recall" if message.risk else "false alarms"
        for part in dict.fromkeys(("", message.language, message.kind)):
            groups.setdefault(f"{name}, {part}" if part else name, []).append(str(number))
    order = sorted(groups, key=lambda name: ("recall" not in name, name))
    measures = tuple(mean(name, {item: flagged[item] for item in groups[name]}) for name in order)
    clusters = {str(number): message.template for number, message in enumerate(messages, start=1)}
    return Table("crisis screen", measures, clusters)
