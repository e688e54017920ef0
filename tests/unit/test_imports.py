"""Nothing heavy is imported before it is needed: what that would cost is a second of waiting, each time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import MOZI
from tests.openai_server import OpenAIServer

HEAVY = {
    "numpy", "onnxruntime", "pymupdf", "xllamacpp", "textual", "httpx", "tokenizers", "rich", "starlette", "uvicorn",
}  # fmt: skip


def imported(script: str, *arguments: object) -> set[str]:
    """What is in sys.modules, of any name, when the script has run in a process of its own."""
    told = f"import sys\nsys.argv[1:] = {list(map(str, arguments))!r}\n{script}\n"
    told += "import json\nprint(json.dumps([*sys.modules]), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stderr.splitlines()[-1]))


def run_to_the_end(*arguments: object) -> set[str]:
    """What `mozi` has imported by the time it leaves."""
    return imported(
        "import mozi_cli.main\ntry:\n    mozi_cli.main.main()\nexcept SystemExit:\n    pass", *arguments
    )


@pytest.mark.parametrize(
    "module", ["mozi_cli.main", "mozi_cli.models", "mozi_cli.doctor", "mozi_cli.sessions", "mozi_cli.serve"]
)
def test_the_commands_are_told_apart_without_anything_heavy(module: str) -> None:
    assert not imported(f"import {module}") & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["chat", "--help"], ["serve", "--help"], ["sessions", "list", "--help"], ["--version"]],
)
def test_help_loads_nothing_that_computes(arguments: list[str]) -> None:
    # Typer draws the help with Rich, if it is there.
    assert not run_to_the_end(*arguments) & (HEAVY - {"rich"})


def test_the_installed_command_helps() -> None:
    ran = subprocess.run([MOZI, "--help"], capture_output=True, text=True, check=True)
    assert all(verb in ran.stdout for verb in ("chat", "evidence", "models", "doctor"))


def test_a_paper_that_was_read_before_is_chatted_about_without_pymupdf(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says("12M nodes.")
    chat = (
        "chat",
        "--engine",
        "remote",
        "--base-url",
        openai.url,
        "-p",
        example_read,
        "-a",
        "How many authors?",
    )
    modules = run_to_the_end(*chat)
    assert openai.requests
    assert not modules & {"pymupdf", "xllamacpp", "textual"}


def test_evidence_of_a_paper_that_was_read_before_needs_no_engine(example_read: Path) -> None:
    modules = run_to_the_end("evidence", example_read, "How many authors are there?")
    assert "onnxruntime" in modules
    assert not modules & {"pymupdf", "xllamacpp", "httpx", "textual"}


def test_a_list_of_conversations_loads_no_model_and_no_pdf() -> None:
    assert not run_to_the_end("sessions", "list") & (HEAVY - {"rich", "numpy"})
