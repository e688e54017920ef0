from __future__ import annotations

from pathlib import Path

import pytest

from mozi_cli.tui.keys import ACTIONS, keymap, shown
from mozi_engine.errors import SettingsError
from mozi_engine.settings import load, place


def chosen(home: Path, text: str) -> dict[str, str]:
    """What the settings file, with this in it, makes of the keys."""
    file = home / "config" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    return keymap(load().keys)


def test_names_are_given_once() -> None:
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)


def test_the_keys_that_mozi_ships_are_good_and_do_not_clash() -> None:
    assert keymap([(action.name, action.keys) for action in ACTIONS if not action.fixed])


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", {}),
        ("[keys]\n", {}),
        ('[keys]\nopen = "f7"', {"open": "f7"}),
        ('[keys]\nopen = "ctrl+o, F7"', None),
        ('[keys]\nopen = "ctrl+o, f7"', {"open": "ctrl+o,f7"}),
        ('[keys]\npage.next = "x"', {"page.next": "x"}),
        ('[keys]\n"page.next" = "*"', {"page.next": "*"}),
        ('keys.help = "shift+f1"', {"help": "shift+f1"}),
        ('[keys]\nopen = "shift+ctrl+x"', {"open": "ctrl+shift+x"}),
        ('[keys.models]\npull = "f"', {"models.pull": "f"}),
        ('[keys]\nopen = "ctrl+r"\nsessions = "ctrl+o"', {"open": "ctrl+r", "sessions": "ctrl+o"}),
        ('[keys]\nhelp = "?"', {"help": "?"}),
    ],
)
def test_the_table_is_read(home: Path, text: str, keys: dict[str, str] | None) -> None:
    if keys is None:
        with pytest.raises(SettingsError, match="no key is called 'F7'"):
            chosen(home, text)
    else:
        assert chosen(home, text) == keys


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (
            'theme = "mozi-dark"\n\n[keys]\nopne = "f7"',
            4,
            "no action is called 'opne'",
            "did you mean 'open'?",
        ),
        ('[keys]\nquite_other_thing = "f7"', 2, "no action is called", "one of help, palette, open"),
        ('[keys]\npage.nxt = "f7"', 2, "no action is called 'page.nxt'", "did you mean 'page.next'?"),
        ('[keys]\nopen = "ctrl+of"', 2, "no key is called 'ctrl+of'", "one of"),
        ('[keys]\nopen = "control+o"', 2, "no key is called 'control+o'", "did you mean 'ctrl'?"),
        ('[keys]\nopen = "esc"', 2, "no key is called 'esc'", "did you mean 'escape'?"),
        ('[keys]\ncite = "7"', 2, "the keys of 'cite' cannot be changed", ""),
        ('[keys]\nopen = ""', 2, "no key is called ''", ""),
        ('[keys]\nopen = "f7,"', 2, "no key is called ''", ""),
        ("[keys]\nopen = 7", 2, "keys.open = 7 is not a text", "give a text"),
        ('[keys]\nopen = ["f7"]', 2, "is not a text", "give a text"),
        ('[keys]\nopen = """\nf77"""', 3, "no key is called", ""),
        ('[keys]\n# taken\nopen = "ctrl+r"', 3, "ctrl+r is a key of 'sessions'", "another"),
        ('[keys]\ncopy = "?"', 2, "? is a key of 'help'", "another"),
        ("\ncolour = 1", 2, "unknown key 'colour'", "the table [keys]"),
        ("a = 1\npassages = 'four'", 1, "unknown key 'a'", ""),
        ("model = 'x'\npassages = 'four'", 2, "passages = 'four' is not a whole number", ""),
        ("[colours]\nred = 1", 2, "unknown key 'colours.red'", ""),
    ],
)
def test_a_mistake_is_told_with_its_line(home: Path, text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen(home, text)
    assert f"settings.toml, line {line}: " in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


def test_two_panes_may_have_the_same_key(home: Path) -> None:
    assert chosen(home, '[keys]\n"models.pull" = "y"\n"sessions.delete" = "y"')


def test_the_environment_changes_no_keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOZI_KEYS", "open=f7")
    assert load().keys == ()


def test_a_place_that_is_not_found_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("model = 'x'")
    assert place("theme", tmp_path / "s.toml") == str(tmp_path / "s.toml")


def test_keys_are_shown_as_people_write_them() -> None:
    assert shown("question_mark,f1") == "? f1"
    assert shown("slash") == "/"
    assert shown("ctrl+o") == "ctrl+o"
    assert shown("down,G,minus") == "↓ G -"
