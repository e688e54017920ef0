from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml")
pytest.importorskip("matplotlib")
pytest.importorskip("plotext")

from mozi_cli import runs as command
from mozi_engine.errors import DataError
from mozi_engine.training.runs import history
from tests.command import mozi, refusal
from tests.unit.test_imports import run_to_the_end

RECIPE = (
    "base: /models/tiny\nloss_on: answer\noptim:\n  lr: 0.1\nlora:\n  rank: 8\ndata:\n  train: [a.jsonl]\n"
)


def make(folder: Path, recipe: str = RECIPE, *, worse_after: int = 20) -> Path:
    """A run of 40 steps, measured every ten; what is held out gets worse after a step."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe)
    lines: list[dict[str, float]] = []
    for step in range(41):
        if step:
            lines.append({"step": step, "loss": 4 / (1 + step), "lr": 1e-4, "grad_norm": 1.0})
        if step % 10 == 0:
            lines.append({"step": step, "held_out_loss": 2 + abs(step - worse_after) / 10})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def listed(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], dict[str, Any]]:
    """The only run of a folder, as `mozi runs list --json` has it."""

    def only(place: Path) -> dict[str, Any]:
        command.list_runs([place], json=True)
        (found,) = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    return only


def test_a_run_tells_its_recipe_its_measures_and_its_best(tmp_path: Path) -> None:
    make(tmp_path / "one")
    (tmp_path / "one" / "checkpoints" / "checkpoint-40").mkdir(parents=True)
    (tmp_path / "one" / "checkpoints" / "checkpoint-40" / "trainer_state.json").write_text("{}")
    (tmp_path / "one" / "adapter").mkdir()
    (run,) = history.find([tmp_path])
    assert (run.kind, run.state, run.step, run.checkpoints) == ("sft", "finished", 40, (40,))
    assert run.value("optim.lr") == "0.1"
    assert run.best == history.Best("held_out_loss", 20, 2.0)
    loss = run.measured("loss")
    assert loss
    assert loss.steps == tuple(range(1, 41))
    assert not run.problems


def test_what_was_measured_before_training_is_not_the_best(tmp_path: Path) -> None:
    run = history.read(make(tmp_path / "one", worse_after=0))
    assert run.best == history.Best("held_out_loss", 10, 3.0)


def test_a_process_that_lives_is_running_and_one_that_died_has_stopped(tmp_path: Path) -> None:
    run = make(tmp_path / "one")
    history.began(run, 50)
    assert (history.read(run).state, history.read(run).total) == ("running", 50)
    script = "import sys; from pathlib import Path; from mozi_engine.training.runs import history; "
    subprocess.run([sys.executable, "-c", f"{script}history.began(Path(sys.argv[1]), 50)", run], check=True)
    assert history.read(run).state == "stopped"


def test_a_run_of_another_machine_is_running_while_it_writes(tmp_path: Path) -> None:
    run = make(tmp_path / "one")
    (run / "state.json").write_text('{"total": 50, "host": "another.example", "pid": 1, "started": 1.0}')
    assert history.read(run).state == "running"
    os.utime(run / "metrics.jsonl", (1e9, 1e9))
    assert history.read(run).state == "stopped"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("recipe.yaml", b"a: [", "recipe.yaml cannot be read"),
        ("recipe.yaml", b"\xff\xfe\x00", "recipe.yaml cannot be read"),
        ("recipe.yaml", b"- just\n- a list", "recipe.yaml is no recipe"),
        ("metrics.jsonl", b'{"step": 1, "loss": 2.0}\nnull\n{"st', "2 lines of metrics.jsonl cannot be read"),
        ("metrics.jsonl", b'{"loss": 2.0}\n{"step": 1, "loss": {}}\n\xff\n', "3 lines of metrics.jsonl"),
        ("state.json", b"[1]", "state.json cannot be read"),
        ("state.json", b"{", "state.json cannot be read"),
        ("checkpoints/checkpoint-5/optimizer.pt", b"half", "checkpoint-5 is not whole"),
        ("checkpoints/checkpoint-x/trainer_state.json", b"{}", "checkpoint-x is not whole"),
    ],
)
def test_what_is_broken_is_said_and_the_rest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, told: str
) -> None:
    run = make(tmp_path / "one")
    make(tmp_path / "two")
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_bytes(content)
    assert told in " ".join(history.read(run).problems)
    command.list_runs([tmp_path])
    shown = capsys.readouterr()
    assert told in shown.err
    assert len(shown.out.splitlines()) == 3
    command.show(run)


def test_a_run_without_a_measure_is_listed(tmp_path: Path, listed: Callable[[Path], dict[str, Any]]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "recipe.yaml").write_text(RECIPE)
    found = listed(tmp_path)
    assert (found["step"], found["state"], found["best"]) == (0, "stopped", None)


def test_a_loss_that_is_no_number_is_null_in_json(
    tmp_path: Path, listed: Callable[[Path], dict[str, Any]]
) -> None:
    run = make(tmp_path / "one")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 41, "loss": NaN, "held_out_loss": NaN}\n')
    found = listed(run)
    assert found["last"]["loss"] is None
    assert found["best"]["step"] == 20


def test_only_what_differs_is_compared(tmp_path: Path) -> None:
    one = make(tmp_path / "one")
    two = make(tmp_path / "two", RECIPE.replace("rank: 8", "rank: 16\n  alpha: 4"), worse_after=30)
    ran = mozi("runs", "compare", one, two)
    assert {line.split()[0] for line in ran.stdout.splitlines()[1:]} == {
        *("lora.rank", "lora.alpha", "step", "loss", "best", "state")
    }
    told = json.loads(mozi("runs", "compare", one, two, "--json").stdout)
    assert told["differences"] == {"lora.rank": ["8", "16"], "lora.alpha": ["", "4"]}
    assert [run["best"]["step"] for run in told["runs"]] == [20, 30]


def test_curves_are_drawn_in_characters(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "two")
    ran = mozi("runs", "plot", tmp_path)
    assert all(name in ran.stdout for name in ("one: loss", "two: held out loss", "step"))
    assert "\x1b" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) == 100


@pytest.mark.parametrize(("form", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_curve_is_a_picture_file_and_the_same_each_time(tmp_path: Path, form: str, begins: bytes) -> None:
    run = make(tmp_path / "one")
    drawn = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{form}"
        command.plot([run], out=path)
        drawn.append(path.read_bytes())
    assert drawn[0].startswith(begins)
    assert drawn[0] == drawn[1]


def test_what_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    run = make(tmp_path / "one")
    make(tmp_path / "two")
    assert "no training run" in refusal(mozi("runs", "list", tmp_path / "none"))[0]
    assert "holds 2 runs" in refusal(mozi("runs", "show", tmp_path))[0]
    message, hint = refusal(mozi("runs", "plot", run, "--measure", "F1"))
    assert "no run measured F1" in message
    assert "held_out_loss" in hint
    assert ".svg" in refusal(mozi("runs", "plot", run, "--out", tmp_path / "x.doc"))[1]
    with pytest.raises(DataError):
        history.find([tmp_path / "one" / "recipe.yaml"])


def test_runs_are_listed_without_torch(tmp_path: Path) -> None:
    make(tmp_path / "one")
    assert not run_to_the_end("runs", "list", tmp_path) & {"torch", "transformers", "numpy", "omegaconf"}
