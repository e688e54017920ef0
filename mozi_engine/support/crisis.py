"""Whether a message may be about suicide or self-harm: asked of every message, before anything is generated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

RiskKind = Literal["self", "other", "past"]


@dataclass(frozen=True, slots=True)
class Risk:
    """What the screen found.

    `kind` is about whom: the person, somebody else, or the person some time ago. `sign` is what gave it
    away, to the letter where a rule found it; `probability` is the classifier's, in [0, 1].
    """

    kind: RiskKind
    sign: str
    probability: float


_EXPLICIT = re.compile(r"kill myself|end my life|suicid|want to die|自杀|不想活|轻生|想死", re.IGNORECASE)


def screen(text: str) -> Risk | None:
    """The risk in one message, or None."""
    found = _EXPLICIT.search(text)
    return Risk("self", found[0], 1.0) if found else None
