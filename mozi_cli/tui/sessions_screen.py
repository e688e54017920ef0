"""The conversations held before: read them, take one up again, export or delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.screen import ModalScreen

from mozi_cli.tui.export_screen import Export
from mozi_cli.tui.rows import SessionRow


class SessionsScreen(ModalScreen[str | None]):
    """Dismissed with the id of the session to resume, or None.

    `preview(id)` is a conversation as Markdown; `delete(id)` deletes it; `export(id, how)` writes it and
    says where. Each may raise MoziError, and runs in a thread.
    """

    def __init__(
        self,
        sessions: Sequence[SessionRow],
        preview: Callable[[str], str],
        delete: Callable[[str], None],
        export: Callable[[str, Export], Path],
    ) -> None:
        super().__init__()
        self._sessions = list(sessions)
        self._preview, self._delete, self._export = preview, delete, export
