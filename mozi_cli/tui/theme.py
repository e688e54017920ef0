"""mozi's own colours, for dark and light terminals.

Each theme defines, besides Textual's colours, what only mozi has: `$evidence` (behind the words that an
answer quotes), `$evidence-text` (those words), and `$companion` (the other mode's accent).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from textual.theme import Theme

from mozi_engine import settings
from mozi_engine.errors import SettingsError

DARK = Theme(
    "mozi-dark",
    primary="#86b3d9",
    secondary="#9db0c4",
    accent="#e0b36a",
    warning="#e0b36a",
    error="#f08a8a",
    success="#8fc79a",
    foreground="#dfe3e8",
    background="#14181d",
    surface="#1b2027",
    panel="#262d36",
    dark=True,
    variables={
        "evidence": "#5c4a12",
        "evidence-text": "#fff3cf",
        "companion": "#c3a5e0",
        "text-muted": "#b0bac5",
        "text-disabled": "#7d8894",
        "border": "#86b3d9",
        "border-blurred": "#4a5562",
        "block-cursor-background": "#264a68",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#2c343e",
        "footer-key-foreground": "#e0b36a",
        "footer-background": "#1b2027",
        "input-selection-background": "#264a68",
    },
)
LIGHT = Theme(
    "mozi-light",
    primary="#1f5a8c",
    secondary="#46586b",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3261e",
    success="#24692f",
    foreground="#1c2229",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e7e4dc",
    dark=False,
    variables={
        "evidence": "#ffe08a",
        "evidence-text": "#2b2000",
        "companion": "#6a3f96",
        "text-muted": "#555f6a",
        "text-disabled": "#6b7580",
        "border": "#1f5a8c",
        "border-blurred": "#a9a69d",
        "block-cursor-background": "#cfe2f3",
        "block-cursor-foreground": "#10161c",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e7e4dc",
        "footer-key-foreground": "#8a5a00",
        "footer-background": "#f3f1ec",
        "input-selection-background": "#cfe2f3",
    },
)
THEMES = (DARK, LIGHT)
OWN = ("evidence", "evidence-text", "companion")


def own(dark: bool) -> dict[str, str]:
    """Mozi's own colours under a theme that has none, for `App.get_theme_variable_defaults`."""
    return {name: (DARK if dark else LIGHT).variables[name] for name in OWN}


def check(name: str, known: Iterable[str]) -> str:
    """The theme's name, if there is such a theme. Raises SettingsError that names where it was chosen."""
    if name in (known := sorted(known)):
        return name
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(known)}"
    raise SettingsError(f"{settings.place('theme')}: no theme is called {name!r}", hint=hint)
