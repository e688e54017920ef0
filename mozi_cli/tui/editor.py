"""A text written in the person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported


def edit(app: App[None], text: str) -> str | None:
    """The text as $VISUAL or $EDITOR leaves it; None, and a notice, where that does not work."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="mozi-") as folder:
        file = Path(folder, "question.md")
        file.write_text(text, "utf-8")
        try:
            with app.suspend():
                subprocess.run([*shlex.split(command), str(file)], check=True)
            return file.read_text("utf-8").strip()
        except (OSError, ValueError, subprocess.CalledProcessError, SuspendNotSupported) as error:
            app.notify(f"set EDITOR: {error}", title=f"{command} failed", severity="error", markup=False)
            return None
