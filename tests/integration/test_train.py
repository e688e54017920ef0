"""`mozi train sft` from the command line: planned, stopped by Ctrl-C, taken up again, chatted with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

from tests import tiny_llama
from tests.command import MOZI


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    base = tiny_llama.build(tmp_path / "base")
    messages = [{"role": "user", "content": "What data?"}, {"role": "assistant", "content": "The corpus."}]
    (tmp_path / "sft.jsonl").write_text(f"{json.dumps({'messages': messages})}\n" * 40)
    changes = [f"base={base}", f"data.train=[{tmp_path / 'sft.jsonl'}]", "packed=false", "accumulate=1"]
    out = ["--out", str(tmp_path / "run")]
    return [
        MOZI,
        "train",
        "sft",
        "sft-paper-small",
        *changes,
        "threads=1",
        "epochs=5",
        "save_every=100",
        *out,
    ]


def test_a_plan_says_what_would_be_done_and_does_nothing(command: list[str], tmp_path: Path) -> None:
    ran = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=True)
    assert "40 conversations (0 cut, 0 left out)" in ran.stderr
    assert "200 steps" in ran.stderr
    assert "epochs: 5" in ran.stdout
    assert not (tmp_path / "run").exists()


def test_ctrl_c_saves_and_resume_goes_on(command: list[str], tmp_path: Path) -> None:
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"})
    assert run.stderr
    told = iter(run.stderr)
    assert next(line for line in told if line.startswith("step 1 of 200, loss "))
    run.send_signal(signal.SIGINT)
    rest = "".join(told)
    assert run.wait() == 130, rest
    assert "with --resume goes on" in rest
    (saved,) = (tmp_path / "run" / "checkpoints").glob("checkpoint-*")
    done = int(saved.name.partition("-")[2])
    again = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=True)
    assert f"step {done + 1} of 200" in again.stderr
    assert f"written: {tmp_path / 'run' / 'adapter'}" in again.stderr
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert steps == list(range(1, 201))
