"""Whether a screen still looks as it did: its SVG against the one that was kept in `tests/tui/looks`.

`MOZI_LOOKS=keep pytest tests/tui` keeps how they look now; look at what git says has changed, and commit it.
Another Textual draws otherwise, so only the one that constraints.txt names is compared.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import Input, TextArea

KEPT = Path(__file__).parent / "looks"
KEEPING = os.environ.get("MOZI_LOOKS") == "keep"  # now: a test has none of the person's settings
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def still(app: App[object]) -> None:
    """Let no cursor blink: it would be on in one picture and off in the next."""
    for field in (*app.screen.query(Input), *app.screen.query(TextArea)):
        field.cursor_blink = False


def assert_looks(app: App[object], name: str) -> None:
    """Fail unless the app's screen, character by character and style by style, is the one that was kept."""
    drawn = _drawn(app)
    kept = KEPT / f"{name}.svg"
    if KEEPING:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(drawn, "utf-8")
    if f"textual=={version('textual')}" not in CONSTRAINTS.read_text("utf-8").split():
        pytest.skip("another Textual than the one that drew what was kept")
    if not kept.exists() or kept.read_text("utf-8") != drawn:
        seen = Path(os.environ.get("TMPDIR", "/tmp")) / kept.name  # noqa: S108
        seen.write_text(drawn, "utf-8")
        pytest.fail(f"{name} does not look as in {kept}: see {seen}; MOZI_LOOKS=keep keeps it")


def _drawn(app: App[object]) -> str:
    """The screen as SVG. Its styles are numbered by what they are: Rich does so as they come, blank cells too."""
    svg = re.sub(r"terminal-\d+", "terminal", app.export_screenshot(title="mozi", simplify=True)) + "\n"
    styles = {look: name for name, look in re.findall(r"\.(terminal-r\d+) (\{.*\})", svg)}
    numbers = {styles[look]: f"terminal-r{number}" for number, look in enumerate(sorted(styles), start=1)}
    svg = re.sub(r"terminal-r\d+", lambda name: numbers[name[0]], svg)
    rules = iter(sorted(re.findall(r"\.terminal-r\d+ \{.*\}", svg), key=lambda rule: rule.partition("{")[2]))
    return re.sub(r"\.terminal-r\d+ \{.*\}", lambda _: next(rules), svg)
