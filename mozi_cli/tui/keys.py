"""Every action of the full screen: its name in the settings' [keys], its keys, and what it does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mozi_engine import settings
from mozi_engine.errors import SettingsError

MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")

Pane = Literal["anywhere", "question", "page", "evidence", "models", "sessions"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person can do with a key; `keys` are its default keys, in Textual's names, with commas.

    `label` is for the footer, `does` for the list of keys and the palette. `fixed` keys cannot be changed.
    """

    name: str
    keys: str
    label: str
    does: str
    fixed: bool = False

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
    Action("support", "f2", "Companion", "turn to the companion, or to the paper"),
    Action("export", "ctrl+s", "Export", "write the conversation to a file"),
    Action("copy", "y", "Copy", "copy the answer or the passage"),
    Action("copy_quote", "Y", "Copy quotation", "copy the quotation with its reference"),
    Action("theme", "f4", "Theme", "choose the colours"),
    Action("stop", "escape", "Stop", "stop the answer"),
    Action("quit", "ctrl+q", "Quit", "leave mozi; nothing is lost"),
    Action("interrupt", "ctrl+c", "Leave", "copy what is selected, or else leave"),
    Action("pane_next", "tab", "Next pane", "go to the next pane"),
    Action("pane_before", "shift+tab", "Pane before", "go to the pane before"),
    Action("cite", "1,2,3,4,5,6,7,8,9", "Citation", "show this citation; Alt+1 while typing", fixed=True),
    Action("question.edit", "ctrl+e", "Editor", "write the question in $EDITOR"),
    Action("page.next", "right,l", "Next page", "turn to the next page"),
    Action("page.previous", "left,h", "Page back", "turn to the page before"),
    Action("page.down", "down,j", "Down", "scroll down"),
    Action("page.up", "up,k", "Up", "scroll up"),
    Action("page.screen_down", "space,pagedown", "Screen down", "scroll a screen down, then a page on"),
    Action("page.screen_up", "b,pageup", "Screen up", "scroll a screen up, then a page back"),
    Action("page.pan_left", "shift+left,H", "Pan left", "move the enlarged page to the left"),
    Action("page.pan_right", "shift+right,L", "Pan right", "move the enlarged page to the right"),
    Action("page.first", "g,home", "First page", "go to the first page"),
    Action("page.last", "G,end", "Last page", "go to the last page"),
    Action("page.search", "slash", "Search", "search in the paper"),
    Action("page.next_match", "n", "Next match", "go to the next place found"),
    Action("page.previous_match", "N", "Match back", "go to the place found before"),
    Action("page.forget", "escape", "End search", "take the places found off the page"),
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

NAMED = {action.name: action for action in ACTIONS}


def keymap(chosen: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The keys that the person's settings change, for `App.set_keymap`.

    Raises SettingsError, with the line, for an unknown action, a key that there is not, and a key that two
    actions of one pane would share.
    """
    changed: dict[str, str] = {}
    for name, keys in chosen:
        with _in_line(name):
            changed[_known(name).name] = ",".join(_key(key.strip()) for key in keys.split(","))
    for name in changed:
        with _in_line(name):
            _check_alone(NAMED[name], changed)
    return changed


def shown(keys: str) -> str:
    """Keys as people write them: "?" for question_mark."""
    from textual.keys import format_key

    return " ".join("+".join(format_key(part) for part in key.split("+")) for key in keys.split(","))


def written(name: str, chosen: Sequence[tuple[str, str]]) -> str:
    """The keys of this action as a sentence names them, with the person's settings: "Ctrl+O"."""
    return shown(keymap(chosen).get(name, NAMED[name].keys)).title()


@contextmanager
def _in_line(name: str) -> Iterator[None]:
    """Let an error about this action's keys say where they are set."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{settings.place(f'keys.{name}')}: {error.message}", error.hint) from error


def _known(name: str) -> Action:
    if name in NAMED and NAMED[name].fixed:
        raise SettingsError(f"the keys of {name!r} cannot be changed", hint="take the line out")
    if name in NAMED:
        return NAMED[name]
    raise SettingsError(f"no action is called {name!r}", hint=_meant(name, NAMED))


def _key(key: str) -> str:
    """The key as Textual calls it. Raises SettingsError when there is none of that name."""
    # Here, since who changes no key need not wait for this.
    from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

    *modifiers, name = [key] if len(key) == 1 else key.split("+")
    names = [known.value for known in Keys if known.value.isidentifier()] + [*KEY_NAME_REPLACEMENTS.values()]
    character = key_to_character(name) if name else None
    if name not in names and not (character and character.isprintable()):
        raise SettingsError(f"no key is called {key!r}", hint=_meant(name, names))
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise SettingsError(f"no key is called {key!r}", hint=_meant(modifier, MODIFIERS))
    return "+".join([*sorted(modifiers), name])


def _check_alone(action: Action, changed: Mapping[str, str]) -> None:
    """Raise SettingsError when another action of the pane has one of the action's keys."""
    mine = shown(changed[action.name]).split()
    for other in ACTIONS:
        if other.pane != action.pane or other == action:
            continue
        theirs = shown(changed.get(other.name, other.keys)).split()
        if shared := [key for key in mine if key in theirs]:
            hint = f"choose another, or give {other.name!r} another key"
            raise SettingsError(f"{shared[0]} is a key of {other.name!r}", hint=hint)


def _meant(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
