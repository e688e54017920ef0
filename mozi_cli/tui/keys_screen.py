"""Every key, by pane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from mozi_cli.tui.keys import ACTIONS, Action, Pane, shown

PANES: dict[Pane, str] = {
    "anywhere": "Anywhere",
    "question": "In the question",
    "page": "On the page",
    "evidence": "Among the passages",
    "sessions": "In the list of conversations",
    "models": "In the list of models",
}
MOST = 4  # keys of one action that are all spelled out


class KeysScreen(ModalScreen[None]):
    """Shows the keys of every action; `keymap` holds those that the person's settings changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss(None)", "Back"),
        Binding("j", "scroll('down')", show=False),
        Binding("k", "scroll('up')", show=False),
    ]

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """A list a pane."""
        with VerticalScroll(classes="window"):
            yield Static(Content("\n").join(self._lines()))

    def on_mount(self) -> None:
        """Name the window, and let the arrows scroll it."""
        window = self.query_one(".window")
        window.border_title = "Keys"
        window.border_subtitle = r"change them in settings.toml, \[keys]"
        window.focus()

    def action_scroll(self, where: str) -> None:
        """Scroll by a line."""
        window = self.query_one(".window")
        window.scroll_down() if where == "down" else window.scroll_up()

    def _lines(self) -> Iterator[Content]:
        """The panes one after the other: keys, what they do, and what the settings call it."""
        for pane, heading in PANES.items():
            yield Content.styled(heading, "bold $text-primary")
            for action in ACTIONS:
                if action.pane == pane:
                    yield self._line(action)
            yield Content("")
        yield Content("Typing in a field takes letters and digits; Esc or Tab leaves it.")

    def _line(self, action: Action) -> Content:
        changed = action.name in self._keymap
        keys = shown(self._keymap.get(action.name, action.keys))
        if len(several := keys.split()) > MOST:
            keys = f"{several[0]} … {several[-1]}"
        name = action.name + (", changed" if changed else "")
        return Content.assemble((f"{keys:<14}", "bold"), f" {action.does:<39} ", (name, "$text-muted"))
