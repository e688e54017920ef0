"""Open a paper: a path, an address or an arXiv id, or one of those opened before."""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import ModalScreen

from mozi_engine.sessions import LibraryEntry


class OpenScreen(ModalScreen[str | None]):
    """Dismissed with a reference that `paper.source.locate` understands, or None."""

    def __init__(self, recent: Sequence[LibraryEntry] = ()) -> None:
        super().__init__()
        self._recent = recent
