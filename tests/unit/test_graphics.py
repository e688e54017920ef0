from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

SCRIPT = """
import sys
from mozi_cli.tui import graphics
print("said", graphics.asked().result(), "pictures:", "textual_image" in sys.modules)
"""
OTHERS = ("TMUX", "SSH_CONNECTION", "NO_COLOR")
SIXEL, PLAIN, KITTY = b"\x1b[?62;4;22c", b"\x1b[?62;22c", b"\x1b_Gi=1;OK\x1b\\"


def asked(answers: bytes, **environment: str) -> str:
    """What is found out about a terminal that has these answers ready, and cells of 10 by 20 pixels."""
    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 800, 480))
    os.write(screen, answers)
    kept = {name: value for name, value in os.environ.items() if name not in OTHERS}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        env=kept | {"TERM": "xterm-256color"} | environment,
    )
    os.close(keyboard)
    said = b"".join(iter(lambda: _read(screen), b""))
    process.wait(10)
    os.close(screen)
    return said.rpartition(b"said ")[2].decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 4096)
    except OSError:  # Linux says so when the other side has closed
        return b""


def test_a_terminal_with_sixels() -> None:
    assert "Graphics(protocol='sixel', cell=(10, 20), remote=False)" in asked(SIXEL)


def test_kitty_over_ssh() -> None:
    answer = asked(PLAIN + KITTY, SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22")
    assert "Graphics(protocol='kitty', cell=(10, 20), remote=True)" in answer


@pytest.mark.parametrize("answers", [b"", PLAIN])
def test_a_terminal_that_says_no_or_nothing(answers: bytes) -> None:
    assert "None" in asked(answers)


@pytest.mark.parametrize(
    "environment", [{"TMUX": "/run/tmux"}, {"TERM": "screen-256color"}, {"NO_COLOR": "1"}]
)
def test_some_terminals_are_not_even_asked(environment: dict[str, str]) -> None:
    assert "None pictures: False" in asked(SIXEL, **environment)


def test_in_a_pipe_there_are_no_pictures() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "None pictures: False" in ran.stdout
