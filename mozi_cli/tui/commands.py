"""The command palette: every action, with its key."""

from __future__ import annotations

from textual.command import Hits, Provider


class ActionCommands(Provider):
    """Offers the actions that some widget of the screen has; add it to `App.COMMANDS`."""

    async def search(self, query: str) -> Hits:
        """The actions that match."""
        for hit in ():
            yield hit
