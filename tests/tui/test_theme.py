from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from mozi_cli.tui.theme import THEMES, check
from mozi_engine.errors import SettingsError
from mozi_engine.settings import Settings

TEXTS = [
    "foreground",
    "text-muted",
    "primary",
    "secondary",
    "accent",
    "warning",
    "error",
    "success",
    "companion",
]
BACKGROUNDS = ["background", "surface", "panel"]
PAIRS = [(text, behind) for text in TEXTS for behind in BACKGROUNDS] + [
    ("evidence-text", "evidence"),
    ("block-cursor-foreground", "block-cursor-background"),
    ("text-muted", "block-cursor-background"),
    ("foreground", "block-cursor-blurred-background"),
    ("text-muted", "block-cursor-blurred-background"),
    ("footer-key-foreground", "footer-background"),
    ("foreground", "footer-background"),
    ("text-primary", "surface"),
    ("foreground", "input-selection-background"),
]


def contrast(text: str, behind: str) -> float:
    """The contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted(map(_luminance, (text, behind)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in Color.parse(colour).normalized
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_contrast_of_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize(("text", "behind"), PAIRS)
def test_every_text_can_be_read(theme: Theme, text: str, behind: str) -> None:
    colours = theme.to_color_system().generate() | theme.variables
    assert contrast(colours[text], colours[behind]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_evidence_stands_out_of_the_page(theme: Theme) -> None:
    colours = theme.to_color_system().generate() | theme.variables
    assert contrast(colours["evidence"], colours["background"]) > 1.2


def test_the_default_is_one_of_them() -> None:
    assert check(Settings().theme, [theme.name for theme in THEMES]) == Settings().theme


def test_an_unknown_theme_is_told_with_its_line(home: Path) -> None:
    file = home / "config" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text('model = "x"\ntheme = "mozi-drak"\n')
    with pytest.raises(SettingsError, match="line 2: no theme is called 'mozi-drak'") as caught:
        check("mozi-drak", [theme.name for theme in THEMES])
    assert caught.value.hint == "did you mean 'mozi-dark'?"
