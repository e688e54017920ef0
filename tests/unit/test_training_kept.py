"""What a training leaves: the adapter of the lowest held-out loss, curves for TensorBoard, a known end."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

from mozi_cli import steps
from mozi_engine.errors import RecipeError
from mozi_engine.training.llm.causal import Trained
from mozi_engine.training.llm.progress import Evaluated
from mozi_engine.training.recipe import ConversationData, Lora, Optim, SftRecipe, written
from mozi_engine.training.runs import best, history, resuming
from mozi_engine.training.runs.best import Kept
from mozi_engine.training.runs.resuming import Fed
from mozi_engine.training.runs.step import Step
from tests.command import mozi
from tests.trainings import ANSWERS, after, metrics, same, sft, talks, together, trained, write


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> SftRecipe:
    """Learns one answer by heart, and after a while thinks worse of another."""
    one, other = (
        [talk for talk in talks(40) if talk["messages"][2]["content"] == answer]
        for answer in (ANSWERS[0], ANSWERS[2])
    )
    data = write(tmp_path / "train.jsonl", one[:4]), write(tmp_path / "dev.jsonl", other[:3])
    changes = {"lora": Lora(rank=8, alpha=32), "optim": Optim(lr=3e-2, warmup=0.1)}
    return sft(tiny_base, *data, **changes, epochs=10, save_every=5, evaluate_every=2)


def held_out(run: Path) -> dict[int, float]:
    measured = history.read(run).measured("held_out_loss")
    assert measured
    assert len({*measured.steps}) == len(measured.steps)
    return dict(zip(measured.steps, measured.values, strict=True))


def test_the_adapter_that_is_left_is_that_of_the_lowest_held_out_loss(
    recipe: SftRecipe, tmp_path: Path
) -> None:
    ended, _ = trained(recipe, tmp_path / "run")
    losses = held_out(tmp_path / "run")
    lowest = min(losses, key=losses.__getitem__)
    assert 0 < lowest < ended.total - recipe.save_every  # so no checkpoint has it any more
    assert ended.kept == Kept(lowest, losses[lowest]) == best.read(tmp_path / "run" / "adapter")
    again = replace(recipe, adapter=str(tmp_path / "run"), steps=1, optim=Optim(lr=1e-9))
    trained(again, tmp_path / "again")
    assert held_out(tmp_path / "again")[0] == pytest.approx(losses[lowest], rel=1e-5)


def test_the_last_adapter_is_left_where_the_recipe_says_so(recipe: SftRecipe, tmp_path: Path) -> None:
    last, _ = trained(replace(recipe, best=False), tmp_path / "last")
    assert last.kept
    assert last.kept.step == last.total
    assert last.kept.held_out_loss == held_out(tmp_path / "last")[last.total]
    unmeasured = replace(recipe, data=ConversationData(recipe.data.train))
    ended, _ = trained(unmeasured, tmp_path / "unmeasured")
    assert ended.kept == Kept(ended.total, None)
    assert same(tmp_path / "last", tmp_path / "unmeasured")


def test_a_run_that_goes_on_knows_its_lowest_loss(recipe: SftRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "unbroken")
    losses = held_out(tmp_path / "unbroken")
    lowest = min(losses, key=losses.__getitem__)
    trained(recipe, tmp_path / "run", stopped=after(lowest + 1))
    assert history.read(tmp_path / "run").state == "running"  # this process is alive
    ended, _ = trained(recipe, tmp_path / "run", resume=True)
    assert ended.kept == Kept(lowest, losses[lowest])
    assert same(tmp_path / "run", tmp_path / "unbroken")


def test_tensorboard_finds_the_losses_and_the_learning_rate(recipe: SftRecipe, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = replace(recipe, steps=4, save_every=1)
    _, events = trained(recipe, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "checkpoint-4" / "trainer_state.json").unlink()  # killed as it saved
    trained(recipe, tmp_path / "run", resume=True)
    read = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    read.Reload()
    found = {
        name: [(each.step, each.value) for each in read.Scalars(name)] for name in read.Tags()["scalars"]
    }
    told = [event for event in events if isinstance(event, Step)]
    assert found["train/loss"] == [(each.done, pytest.approx(each.loss)) for each in told]
    assert found["train/learning_rate"] == [(each.done, pytest.approx(each.lr)) for each in told]
    measured = [event for event in events if isinstance(event, Evaluated)]
    assert found["eval/loss"] == [(each.step, pytest.approx(each.loss)) for each in measured]


def test_a_run_tells_how_many_steps_it_has(recipe: SftRecipe, tmp_path: Path) -> None:
    ended, _ = trained(recipe, tmp_path / "run")
    run = history.read(tmp_path / "run")
    assert (run.kind, run.state, run.step, run.total) == ("sft", "finished", ended.total, ended.total)
    assert not run.problems


def test_how_a_training_ended_is_said() -> None:
    adapter = Path("runs/x/adapter")
    assert "--resume" in steps.ended(Trained(3, 40, None))
    assert steps.ended(Trained(40, 40, adapter)) == "written: runs/x/adapter"
    assert "step 20 of 40: held-out loss 1.500" in steps.ended(Trained(40, 40, adapter, Kept(20, 1.5)))
    assert "the last step" in steps.ended(Trained(40, 40, adapter, Kept(40, 1.5)))
    assert steps.ended(Trained(40, 40, adapter, Kept(40, 1.5)), 2.5).endswith("before training 2.500")
    assert "nothing held out was learned" in steps.ended(Trained(40, 40, adapter, Kept(40, 1.5)), 1.4)


def train_until_one_is_asked(recipe: SftRecipe, run: Path) -> None:
    asked = after(3)
    ended, _ = trained(recipe, run, stopped=lambda: os.environ["RANK"] == "1" and asked())
    assert (ended.done, ended.adapter) == (3, None), ended


def test_processes_stop_together_when_one_is_asked_to(recipe: SftRecipe, tmp_path: Path) -> None:
    together(train_until_one_is_asked, recipe, tmp_path / "run")
    assert history.read(tmp_path / "run").checkpoints == (3,)


@pytest.mark.skipif(
    not shutil.which("g++"), reason="DeepSpeed builds what processes on one processor talk by"
)
def test_two_processes_with_zero_2_are_one_that_accumulates_twice(recipe: SftRecipe, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed")
    # AdamW makes a large rate of what the order of a sum changes in a small gradient.
    recipe = replace(recipe, steps=6, epochs=20, optim=Optim(lr=1e-3, warmup=0.1))
    (tmp_path / "recipe.yaml").write_text(written(recipe))
    trained(replace(recipe, accumulate=2), tmp_path / "one")
    words = ("train", "sft", tmp_path / "recipe.yaml", "zero.stage=2", "--gpus", 2, "--out", tmp_path / "two")
    ran = mozi(*words, timeout=400)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("written: ") == 1
    assert same(tmp_path / "one", tmp_path / "two", 1e-4)
    one, two = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert [{*each} for each in one] == [{*each} for each in two]
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-3)


def test_a_run_goes_on_in_as_many_processes_as_it_began_in(recipe: SftRecipe, tmp_path: Path) -> None:
    run = tmp_path / "run"
    resuming.claim(run, recipe, Fed("a", 2), resume=False)
    (run / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    with pytest.raises(RecipeError, match="2 processes, not 1") as refused:
        resuming.claim(run, recipe, Fed("a"), resume=True)
    assert refused.value.hint == "resume with --gpus 2"
    resuming.claim(run, recipe, Fed("a", 2), resume=True)
    (run / "fed.json").unlink()  # as an older mozi began it
    resuming.claim(run, recipe, Fed("b"), resume=True)


def test_an_adapter_is_written_over_an_earlier_one(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"

    def save(part: Path) -> None:
        part.mkdir()
        (part / str(len(list(tmp_path.iterdir())))).touch()

    for step in (1, 2):
        best.write(adapter, Kept(step, None), save)
        assert best.read(adapter) == Kept(step, None)
        assert [*tmp_path.iterdir()] == [adapter]


def test_the_panel_shows_where_a_training_is() -> None:
    told = Console(width=90, record=True, file=io.StringIO())
    event = Step(12, 40, 0.5, 1e-4, 48.0, "tokens", 3_200_000_000, 720.0)
    told.print(steps.panel("runs/sft", event, "1.234"))
    shown = told.export_text()
    for words in ("runs/sft", "step 12 of 40", "1.234", "1.0e-04", "48 tokens/s", "12 min", "3.2 GB"):
        assert words in shown
