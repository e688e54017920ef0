"""Make the README's picture: a real session, in a real terminal, as SVG.

    python docs/picture.py docs/session.svg

Needs tmux and the default model on the disk. The session is what a person would see; nothing is edited.
"""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 96, 40
QUESTIONS = ("How many author nodes does the literature graph have?", "Which GPU was used for training?")
LIMIT = 600  # seconds


def main() -> None:
    """Run the session, and draw its last screen."""
    asked = " ".join(f"--ask {shlex.quote(question)}" for question in QUESTIONS)
    mozi = shlex.quote(str(Path(sys.executable).with_name("mozi")))
    command = f"{mozi} chat --paper examples/N18-3011.pdf {asked}; sleep {LIMIT}"
    tmux("new-session", "-d", "-s", "picture", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", str(ROOT), command)
    try:
        screen = wait()
    finally:
        tmux("kill-session", "-t", "picture")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen.rstrip()))
    Path(sys.argv[1]).write_text(console.export_svg(title="mozi chat --paper examples/N18-3011.pdf"), "utf-8")


def wait() -> str:
    """The screen once every question has been answered and timed."""
    for _ in range(LIMIT):
        time.sleep(1)
        screen = tmux("capture-pane", "-e", "-p", "-t", "picture")
        if screen.count("first word after") == len(QUESTIONS):
            return screen
    raise SystemExit(f"no answer within {LIMIT} s")


def tmux(*arguments: str) -> str:
    """What tmux says."""
    return subprocess.run(["tmux", *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S607


if __name__ == "__main__":
    main()
