"""Every action of the full screen: its name in the settings' [keys], its keys, and what it does.

Textual is not imported here: the settings are checked before there is a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pane = Literal["anywhere", "question", "page", "evidence", "models", "sessions"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do with a key; `keys` are its default keys, in Textual's names, with commas.

    `label` is for the footer, `does` for the list of keys and the palette.
    """

    name: str
    keys: str
    label: str
    does: str

    @property
    def pane(self) -> Pane:
        """Where its keys work: the part of the name before the dot."""
        pane, dot, _ = self.name.partition(".")
        return pane if dot else "anywhere"  # type: ignore[return-value]


ACTIONS = (
    Action("help", "question_mark,f1", "Keys", "show every key"),
    Action("palette", "ctrl+p", "Palette", "search everything that can be done"),
    Action("open", "ctrl+o", "Open", "open another paper"),
    Action("library", "ctrl+l", "Library", "go to the recent papers"),
    Action("sessions", "ctrl+r", "Sessions", "resume, export or delete a conversation"),
    Action("models", "f3", "Models", "choose, fetch or remove a model"),
    Action("support", "f2", "Companion", "switch between the paper and the companion"),
    Action("export", "ctrl+s", "Export", "write the conversation to a file"),
    Action("copy", "y", "Copy", "copy the answer or the passage"),
    Action("copy_quote", "Y", "Copy quotation", "copy the quotation with its reference"),
    Action("theme", "f4", "Theme", "choose the colours"),
    Action("stop", "escape", "Stop", "stop the answer"),
    Action("quit", "ctrl+q", "Quit", "leave mozi; nothing is lost"),
    Action("question.edit", "ctrl+e", "Editor", "write the question in $EDITOR"),
    Action("page.next", "right,l", "Next page", "turn to the next page"),
    Action("page.previous", "left,h", "Page back", "turn to the page before"),
    Action("page.down", "down,j", "Down", "scroll down"),
    Action("page.up", "up,k", "Up", "scroll up"),
    Action("page.first", "g,home", "First page", "go to the first page"),
    Action("page.last", "G,end", "Last page", "go to the last page"),
    Action("page.search", "slash", "Search", "search in the paper"),
    Action("page.next_match", "n", "Next match", "go to the next place found"),
    Action("page.previous_match", "N", "Match back", "go to the place found before"),
    Action("page.picture", "t", "Picture/text", "show the page as a picture, or as text"),
    Action("page.zoom_in", "plus", "Larger", "enlarge the page"),
    Action("page.zoom_out", "minus", "Smaller", "make the page smaller"),
    Action("page.fit", "0", "Fit", "fit the page to the pane"),
    Action("evidence.next", "down,j", "Next", "go to the next passage"),
    Action("evidence.previous", "up,k", "Back", "go to the passage before"),
    Action("evidence.show", "enter", "Show", "turn the page to the passage"),
    Action("models.pull", "p", "Fetch", "fetch the model"),
    Action("models.remove", "d", "Remove", "remove the model from this disk"),
    Action("sessions.delete", "d", "Delete", "delete the conversation"),
    Action("sessions.export", "e", "Export", "write the conversation to a file"),
)
