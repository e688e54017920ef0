"""What `mozi chat` shows without a paper: those opened before, newest first."""

from __future__ import annotations

from collections.abc import Container, Sequence

from textual.screen import Screen

from mozi_engine.sessions import LibraryEntry


class LibraryScreen(Screen[str | None]):
    """Dismissed with a reference to a paper, or None to leave.

    `read` holds the ids of the papers that the model remembers.
    """

    def __init__(self, papers: Sequence[LibraryEntry], read: Container[str] = ()) -> None:
        super().__init__()
        self._papers, self._read = papers, read
