"""Where to write a conversation, and as what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from mozi_cli.tui.choices import Choices
from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.rows import Row
from mozi_engine import files

Format = Literal["markdown", "json", "bibtex"]

FORMATS: dict[str, tuple[Format, str, str]] = {
    ".md": ("markdown", "Markdown", "to read: questions, answers, and the quotations with their places"),
    ".json": ("json", "JSON", "for programs: everything that is known of every answer"),
    ".bib": ("bibtex", "BibTeX + quotes", "to cite: the paper’s entry, and the quotations as notes"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """How to write a conversation; the person agreed to `path` being replaced if it is there."""

    format: Format
    path: Path


def file_name(title: str) -> str:
    """A file's name that every system takes, without ending: words with hyphens, at most 60 characters."""
    return "-".join(re.findall(r"\w+", title.casefold()))[:60].strip("-_") or "conversation"


class ExportScreen(ModalScreen[Export | None]):
    """Dismissed with what to write, or None. `name` is the file's default name without its ending."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, name: str, folder: Path | None = None) -> None:
        super().__init__()
        self._path = (folder or Path.cwd()) / name

    def compose(self) -> ComposeResult:
        """The formats, and the file."""
        with Vertical(classes="window small"):
            yield Choices()
            yield Input()
            yield Static("↑ ↓ the format; Tab the file’s name; Enter writes", id="said", markup=False)

    def on_mount(self) -> None:
        """Begin with Markdown in the folder given."""
        self.query_one(".window").border_title = "Export the conversation"
        choices = self.query_one(Choices)
        choices.show(Row(end, name, what) for end, (_, name, what) in FORMATS.items())
        choices.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Give the file the format's ending."""
        line = self.query_one(Input)
        written = Path(line.value) if line.value else self._path
        stem = written.with_suffix("") if written.suffix in FORMATS else written
        line.value = f"{stem}{event.option_id}"

    def on_option_list_option_selected(self) -> None:
        """Enter in the list writes, too."""
        self._write()

    def on_input_submitted(self) -> None:
        """Write."""
        self._write()

    def _write(self) -> None:
        """Leave with what to write; a file that is there is asked about, and a folder that is not is said."""
        path = files.expanded(self.query_one(Input).value.strip()).absolute()
        if wrong := _wrong(path):
            said = self.query_one("#said", Static)
            said.update(f"✗ {wrong}")
            said.add_class("wrong")
        elif path.exists():
            question = f"{path} is there already. Replace it?"
            self.app.push_screen(ConfirmScreen(question, "Replace"), partial(self._leave, path))
        else:
            self._leave(path, True)

    def _leave(self, path: Path, agreed: bool | None) -> None:
        if not agreed:
            return
        kind, _, _ = FORMATS[self.query_one(Choices).chosen or ".md"]
        self.dismiss(Export(kind, path))


def _wrong(path: Path) -> str:
    try:
        if path.is_dir():
            return f"{path} is a folder: add a file’s name"
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
    except (OSError, ValueError) as error:
        return f"not a file’s name: {error}"
    return ""
