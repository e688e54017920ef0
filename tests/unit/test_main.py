"""What the command does before any verb: the languages it can write, what its options mean together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mozi_engine.models import catalog, catalog_file
from tests.command import MOZI, mozi, refusal


@pytest.fixture
def chinese() -> None:
    table = {"licence": "开放", "file": "a.gguf", "sources": ["hub:a/b/a.gguf"]}
    catalog_file.write(catalog.user_file(), "tiny", table)


@pytest.mark.usefixtures("chinese")
def test_a_pipe_is_utf_8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    listed = json.loads(mozi("models", "list", "--json").stdout)
    assert "开放" in [model["licence"] for model in listed]


@pytest.mark.usefixtures("chinese")
def test_an_encoding_that_lacks_a_sign_marks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = mozi("models", "list")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "??" in ran.stdout


def test_an_address_means_the_remote_engine(example_read: Path) -> None:
    asked = ("--ask", "How large is it?", "--base-url", "http://127.0.0.1:1/v1")
    message, hint = refusal(mozi("chat", "--paper", example_read, *asked))
    assert "no answer from http://127.0.0.1:1/v1" in message
    assert "--base-url" in hint


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_stdin_asks_nothing(example_read: Path) -> None:
    closed = ["sh", "-c", 'exec "$0" "$@" <&-', MOZI, "chat", "--paper", str(example_read)]
    ran = subprocess.run([*closed, "--base-url", "http://127.0.0.1:1/v1"], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
