"""`mozi read`: what it refuses before a model is fetched, and who it leaves waiting for nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import pymupdf
import pytest
from typer.testing import CliRunner

from mozi_cli.main import app
from mozi_engine import files, states
from tests import tiny_llama
from tests.command import mozi, refusal
from tests.serving import pdf


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


def test_a_server_is_refused_since_it_keeps_nothing(example: Path) -> None:
    said, hint = refusal(mozi("read", example, "--engine", "remote"))
    assert (
        said == "a server keeps nothing that it has read for mozi: it is sent the paper with every question"
    )
    assert "--engine llamacpp" in hint


def test_what_torch_has_read_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "transformers", "peft"):
        pytest.importorskip(package)
    tiny_llama.build(tmp_path / "tiny", max_position_embeddings=4096)
    monkeypatch.setenv("MOZI_CONTEXT", "4096")
    (paper := tmp_path / "paper.pdf").write_bytes(pdf("We build a graph."))
    command = ["read", str(paper), "--engine", "torch", "--model", str(tmp_path / "tiny")]
    ran = CliRunner().invoke(app, command)
    assert ran.exit_code == 0, ran.output
    assert states.papers("tiny") == {files.sha256(paper)}


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_of_a_folder_a_paper_that_needs_a_password_is_named_and_the_next_one_is_read(tmp_path: Path) -> None:
    from tests.terminal import on_terminal

    for name in ("a.pdf", "b.pdf"):
        document = pymupdf.open()
        document.new_page()
        document.save(tmp_path / name, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame")
    with on_terminal("read", tmp_path) as terminal:
        assert "Password" not in terminal.until("a.pdf needs a password")
        assert "Password" not in terminal.until("b.pdf needs a password")
        code, _ = terminal.leave()
    assert code == 1
