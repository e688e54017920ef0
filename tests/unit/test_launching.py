"""A training in processes of its own, as the terminal meets it; what stands for the processes is a script."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

pytest.importorskip("omegaconf")

from mozi_cli import launching
from mozi_engine.errors import ModelError, RecipeError
from mozi_engine.training.distributed import launch
from mozi_engine.training.distributed.launch import Launch, Launcher
from mozi_engine.training.runs import resuming
from mozi_engine.training.runs.resuming import Fed
from tests.trainings import sft

RECIPE = sft("tiny", "a.jsonl")
PRESSED = (
    "import os, pathlib, signal, sys, time\nos.kill(os.getppid(), signal.{})\n"  # by the person, to mozi
)
UNTIL_ASKED = "while not pathlib.Path(sys.argv[1], 'stop').exists(): time.sleep(0.02)\n"

Follow = Callable[[str], None]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has a checkpoint."""
    resuming.claim(tmp_path / "run", RECIPE, Fed("a"), resume=False)
    (tmp_path / "run" / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    return tmp_path / "run"


@pytest.fixture
def follow(run: Path, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """Start a script where the training's processes would be, and wait for it."""

    def followed(script: str) -> None:
        words = (sys.executable, "-c", script, str(run))
        monkeypatch.setattr(launch, "command", lambda *_: words)
        launching.follow(Launch(Launcher.torchrun, 2), [], RECIPE, run, resume=True)

    return followed


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_first_ctrl_c_asks_to_stop(run: Path, follow: Follow, name: str) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    with pytest.raises(typer.Exit) as left:
        follow(PRESSED.format(name) + UNTIL_ASKED)
    assert left.value.exit_code == 130
    assert not resuming.asked_to_stop(run)
    assert signal.getsignal(number) is before


def test_the_second_ctrl_c_breaks_off(follow: Follow) -> None:
    script = PRESSED.format("SIGINT") + UNTIL_ASKED + PRESSED.format("SIGINT") + "time.sleep(600)"
    with pytest.raises(typer.Exit):
        follow(script)


def test_a_run_that_ended_while_it_was_asked_to_stop_has_ended(run: Path, follow: Follow) -> None:
    follow(PRESSED.format("SIGINT") + UNTIL_ASKED + "pathlib.Path(sys.argv[1], 'adapter').mkdir()")
    assert not resuming.asked_to_stop(run)


def test_an_end_that_was_asked_for_earlier_is_forgotten(run: Path, follow: Follow) -> None:
    assert resuming.ask_to_stop(run)
    follow("import pathlib, sys; sys.exit(pathlib.Path(sys.argv[1], 'stop').exists())")


def test_processes_that_fail_are_an_error(follow: Follow) -> None:
    with pytest.raises(ModelError, match="exit code 3"):
        follow("import sys; sys.exit(3)")


def test_nothing_is_started_for_a_folder_of_another_recipe(run: Path, follow: Follow) -> None:
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("tiny", "other"))
    with pytest.raises(RecipeError, match="another recipe"):
        follow("raise AssertionError")


def test_a_run_that_has_not_begun_cannot_be_asked(tmp_path: Path) -> None:
    assert not resuming.ask_to_stop(tmp_path / "none")
