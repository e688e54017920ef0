"""Make the README's pictures: real sessions, in a real terminal, as SVG.

    python docs/picture.py

Needs tmux and the default model on the disk. The sessions are what a person would see; nothing is edited.
They run in a home of their own, so that no one's conversations are in the picture.
"""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mozi_engine.files import data_dir

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 120, 36
LIMIT = 900  # seconds
PAPERS = "examples/N18-3011.pdf"


@dataclass(frozen=True, slots=True)
class Step:
    """Wait until `text` is on the screen, or `gone` from it; then press `keys`, in tmux's names."""

    text: str
    keys: Sequence[str] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A session: mozi's arguments, and what is done on its screen."""

    name: str
    command: str
    steps: Sequence[Step]


PICTURES = (
    Picture(
        "reading",
        f"chat {PAPERS}",
        (
            Step("✓ model", ("How many author nodes does the literature graph have?", "Enter")),
            Step("[1] page", ("Tab", "1")),
            Step("page 2 of 8"),
        ),
    ),
    Picture("library", "chat", (Step("8 pages"),)),
    Picture(
        "companion",
        "chat --support",
        (
            Step("✓ model", ("My paper was rejected for the third time.", "Enter")),
            Step("esc Stop"),
            Step("esc Stop", gone=True),
        ),
    ),
)


def main() -> None:
    """Run the sessions one after the other, in one home, and draw the last screen of each."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "data").mkdir()
        (Path(home) / "data" / "models").symlink_to(data_dir() / "models")
        for picture in PICTURES:
            draw(picture, screen(picture, home))


def screen(picture: Picture, home: str) -> str:
    """What stands on the terminal at the end of the session, with its colours."""
    mozi = shlex.quote(str(Path(sys.executable).with_name("mozi")))
    start = f"MOZI_HOME={home} COLORTERM=truecolor {mozi} {picture.command}"
    size = ("-x", str(WIDTH), "-y", str(HEIGHT))
    tmux("new-session", "-d", "-s", picture.name, *size, "-c", str(ROOT), start)
    try:
        for step in picture.steps:
            wait(picture.name, step)
            for key in step.keys:
                tmux("send-keys", "-t", picture.name, key)
        time.sleep(2)  # for what the last keys change
        return tmux("capture-pane", "-e", "-p", "-t", picture.name)
    finally:
        tmux("kill-session", "-t", picture.name)


def wait(session: str, step: Step) -> None:
    """Wait until the screen is as the step wants it."""
    for _ in range(LIMIT * 2):
        time.sleep(0.5)
        if (step.text in tmux("capture-pane", "-p", "-t", session)) is not step.gone:
            return
    raise SystemExit(f"waited {LIMIT} s for {step}")


def draw(picture: Picture, ansi: str) -> None:
    """Write the screen down as SVG."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi(ansi.rstrip()))
    svg = console.export_svg(title=f"mozi {picture.command}")
    (ROOT / "docs" / f"{picture.name}.svg").write_text(svg, "utf-8")


def tmux(*arguments: str) -> str:
    """What tmux says."""
    command = ["tmux", "-L", f"mozi-{os.getpid()}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
