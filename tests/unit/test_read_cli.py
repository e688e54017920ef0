"""`mozi read`: what it refuses before a model is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import mozi


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.pdf", "no such file"),
        ("~draft.pdf", "no such file: ~draft.pdf"),
        ("a" * 300, "cannot read"),
        (".", "there is no PDF in"),
    ],
)
def test_what_is_no_paper_needs_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = mozi("read", name)
    assert ran.returncode == 1
    assert says in ran.stderr
    assert "fetching" not in ran.stderr
    assert "Traceback" not in ran.stderr
