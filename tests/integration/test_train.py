"""`mozi train sft` from the command line: planned, stopped by Ctrl-C, taken up again, chatted with."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

from typer.testing import CliRunner

from mozi_cli.main import app
from tests.command import MOZI
from tests.trainings import metrics, write


@pytest.fixture
def command(tiny_base: Path, tmp_path: Path) -> list[str]:
    messages = [{"role": "user", "content": "What data?"}, {"role": "assistant", "content": "The corpus."}]
    data = write(tmp_path / "sft.jsonl", [{"messages": messages}] * 40)
    changes = [f"base={tiny_base}", f"data.train=[{data}]", "packed=false", "accumulate=1", "threads=1"]
    out = ["--out", str(tmp_path / "run")]
    return ["train", "sft", "sft-paper-small", *changes, "epochs=3", "save_every=100", *out]


def test_a_plan_says_what_would_be_done_and_does_nothing(command: list[str], tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, [*command, "--dry-run"])
    assert ran.exit_code == 0
    assert "40 conversations (0 cut, 0 left out)" in ran.stderr
    assert "120 steps" in ran.stderr
    assert "epochs: 3" in ran.stdout
    assert not (tmp_path / "run").exists()


def test_ctrl_c_saves_and_resume_goes_on(command: list[str], tmp_path: Path) -> None:
    wide = os.environ | {"COLUMNS": "200"}
    run = subprocess.Popen([MOZI, *command], stderr=subprocess.PIPE, text=True, env=wide)
    assert run.stderr
    told = iter(run.stderr)
    assert next(line for line in told if line.startswith("step 1 of 120, loss "))
    run.send_signal(signal.SIGINT)
    rest = "".join(told)
    assert run.wait() == 130, rest
    assert "with --resume goes on" in rest
    (saved,) = (tmp_path / "run" / "checkpoints").glob("checkpoint-*")
    done = int(saved.name.partition("-")[2])
    again = CliRunner().invoke(app, [*command, "--resume"], catch_exceptions=False)
    assert f"step {done + 1} of 120" in again.stderr
    assert f"written: {tmp_path / 'run' / 'adapter'}" in again.stderr
    assert [each["step"] for each in metrics(tmp_path / "run")] == list(range(1, 121))
