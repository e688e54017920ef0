"""Where to write a conversation, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textual.screen import ModalScreen

Format = Literal["markdown", "json", "bibtex"]


@dataclass(frozen=True, slots=True)
class Export:
    """How to write a conversation; the person agreed to `path` being replaced if it is there."""

    format: Format
    path: Path


class ExportScreen(ModalScreen[Export | None]):
    """Dismissed with what to write, or None. `name` is the file's default name without its ending."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        super().__init__()
        self._name, self._folder = name, folder or Path.cwd()
