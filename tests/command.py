"""The installed `mozi`, run as a person or a script runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MOZI = str(Path(sys.executable).with_name("mozi"))


def mozi(
    *arguments: object, stdin: str | bytes = "", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe, to its end; the environment is the test's."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    ran = subprocess.run(
        [MOZI, *map(str, arguments)], input=given, capture_output=True, timeout=timeout, check=False
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def refusal(ran: subprocess.CompletedProcess[str], noted: str = "") -> tuple[str, str]:
    """What went wrong and what to do next: two lines on stderr after any progress, and nothing else.

    `noted` is how a note begins that may stand before them.
    """
    passed_over = (*PROGRESS, noted) if noted else PROGRESS
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(passed_over)]
    assert (ran.returncode, len(lines)) == (1, 2), ran.stderr
    message, hint = lines
    assert message.startswith("mozi: ")
    assert hint.startswith("  ")
    assert hint.strip()
    return message.removeprefix("mozi: "), hint.strip()


PROGRESS = ("reading the layout: ", "downloading the paper: ", "embedding: ")
