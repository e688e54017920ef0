"""The conversations held before: read them, take one up again, export or delete it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.screen import ModalScreen

from mozi_cli.tui.export_screen import Export
from mozi_engine.sessions import Conversation, Summary


class SessionsScreen(ModalScreen[str | None]):
    """Dismissed with the id of the session to resume, or None.

    `load`, `delete` (the store's own) and `export` are called in a thread, with a session's id; each may
    raise MoziError.
    """

    def __init__(
        self,
        sessions: Sequence[Summary],
        load: Callable[[str], Conversation],
        delete: Callable[[str], None],
        export: Callable[[str, Export], None],
    ) -> None:
        super().__init__()
        self._sessions = list(sessions)
        self._load, self._delete, self._export = load, delete, export
