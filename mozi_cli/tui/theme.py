"""mozi's own colours, for dark and light terminals."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme("mozi-dark", primary="#7aa2c8", dark=True)
LIGHT = Theme("mozi-light", primary="#2f5d86", dark=False)
THEMES = (DARK, LIGHT)
