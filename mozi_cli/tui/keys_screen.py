"""Every key, by pane."""

from __future__ import annotations

from collections.abc import Mapping

from textual.screen import ModalScreen


class KeysScreen(ModalScreen[None]):
    """Shows the keys of every action; `keymap` holds those that the person's settings changed."""

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap
