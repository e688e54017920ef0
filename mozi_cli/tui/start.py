"""What the person asked for on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings

if TYPE_CHECKING:
    from mozi_engine.sessions.conversations import Mode


@dataclass(frozen=True, slots=True)
class Start:
    """How the screen begins.

    `reference` is a paper, "" for none; `resume` a session's id, "" for the last one, None for a new one;
    `private` keeps nothing.
    """

    settings: Settings
    decoding: GenerationSettings
    reference: str = ""
    password: str | None = None
    mode: Mode = "paper"
    resume: str | None = None
    private: bool = False
