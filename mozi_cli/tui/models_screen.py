"""The catalogue: what models there are, which lie on this disk, and which fit into its memory."""

from __future__ import annotations

from textual.screen import ModalScreen


class ModelsScreen(ModalScreen[str | None]):
    """Dismissed with the name of the model to switch to, which is on the disk, or None."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current
