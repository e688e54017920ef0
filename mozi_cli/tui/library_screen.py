"""What `mozi chat` shows without a paper: those opened before, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import Screen

from mozi_cli.tui.rows import RecentPaper


class LibraryScreen(Screen[str | None]):
    """Dismissed with a reference to a paper, or None to leave."""

    def __init__(self, recent: Sequence[RecentPaper]) -> None:
        super().__init__()
        self._recent = recent
