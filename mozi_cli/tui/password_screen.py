"""A paper that is encrypted asks for its password."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class PasswordScreen(ModalScreen[str | None]):
    """Dismissed with the password, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Leave it", show=False)]

    def __init__(self, told: str) -> None:
        """`told` says which paper wants it, and whether one was wrong."""
        super().__init__()
        self._told = told

    def compose(self) -> ComposeResult:
        """What is wanted, and a line that shows none of it."""
        with Vertical(classes="window small"):
            yield Static(self._told, markup=False)
            yield Input(password=True, placeholder="password")

    def on_mount(self) -> None:
        """Say what the keys do."""
        window = self.query_one(".window")
        window.border_title, window.border_subtitle = "Password", "Enter opens · Esc leaves it"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Try it."""
        self.dismiss(event.value)
