"""How many passages to believe, maybe none: from the chances that a search gives its passages.

Evidence-F1 is what is to be made large, so the set believed is the one whose expected F1 is largest (Jansche,
2007; Ye et al., 2012), which for independent passages is always a beginning of the ranking.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from mozi_engine.types import Evidence


def believed(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The beginning of a ranking that is to be believed; all of it where the search gives no chances."""
    chances = [item.chance for item in evidence]
    if any(chance is None for chance in chances):
        return tuple(evidence)
    known = [chance for chance in chances if chance is not None]
    return tuple(evidence[: cutoff(known, none=1 - answerable(known))])


def doubtful(evidence: Sequence[Evidence]) -> bool:
    """Whether the paper likely does not answer; never where the search gives no chances."""
    chances = [item.chance for item in evidence if item.chance is not None]
    return bool(chances) and len(chances) == len(evidence) and answerable(chances) < threshold()


def cutoff(chances: Sequence[float], none: float = 0.0) -> int:
    """How many of the ranking's first passages have the largest expected F1, given each one's chance.

    `none` is the chance that there is no evidence at all; 0 comes back when it exceeds what any set promises.
    """
    total, found, best, size = sum(chances), 0.0, none, 0
    for number, chance in enumerate(chances, start=1):
        found += chance
        expected = (1 - none) * 2 * found / (number + max(total, 1.0))
        if expected > best:
            best, size = expected, number
    return size


def answerable(chances: Sequence[float]) -> float:
    """The chance that the paper answers the question, from those of its passages, best first; 0 of none."""
    if not chances:
        return 0.0
    bias, weights = _weights()
    logit = bias + sum(weight * value for weight, value in zip(weights, shape(chances), strict=True))
    return 1 / (1 + math.exp(-logit))


def shape(chances: Sequence[float]) -> tuple[float, float, float]:
    """What a ranking looks like: log-odds of the first, its lead on the fifth, log of the expected number."""
    first = _log_odds(chances[0])
    return first, first - _log_odds(chances[min(4, len(chances) - 1)]), math.log(sum(chances) + 1e-6)


def _log_odds(chance: float) -> float:
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))


def threshold() -> float:
    """Below which `answerable` is right nine times in ten, on the questions it was fitted on."""
    return float(_table()["doubtful"])


@cache
def _weights() -> tuple[float, tuple[float, ...]]:
    table = _table()
    return table["bias"], tuple(table["weights"].values())


@cache
def _table() -> dict[str, Any]:
    text = files("mozi_engine.retrieval").joinpath("weights.toml").read_text("utf-8")
    table: dict[str, Any] = tomllib.loads(text)["answerable"]
    return table
