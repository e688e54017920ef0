"""The folder of a training run: taken for a recipe, gone on from, asked to stop."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from mozi_engine.errors import RecipeError
from mozi_engine.training.recipe import load, written

_FED = "fed.json"
_STOP = "stop"  # a file; while it lies in a run's folder, the training saves and ends with its step


@dataclass(frozen=True, slots=True)
class Fed:
    """What a recipe does not say of what a run learns from: what its files held, and who shares a step."""

    sha256: str
    processes: int = 1


def claim(run: Path, recipe: object, fed: Fed, *, resume: bool) -> None:
    """Take the folder for this recipe and data; it keeps a note of both. Raises RecipeError for others."""
    check(run, recipe, resume=resume)
    if resume:
        return _check_fed(run, fed)
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.yaml").write_text(written(recipe), "utf-8")
    (run / _FED).write_text(json.dumps(asdict(fed)) + "\n", "utf-8")
    return None


def _check_fed(run: Path, fed: Fed) -> None:
    """Raise RecipeError where the run was begun with something else; one of an older mozi has no note."""
    if not (run / _FED).exists():
        return
    began = Fed(**json.loads((run / _FED).read_bytes()))
    if began.processes != fed.processes:
        raise RecipeError(
            f"{run} was begun in {began.processes} processes, not {fed.processes}",
            hint=f"resume with --gpus {began.processes}",
        )
    if began != fed:
        hint = "bring back the files of data as they were, or begin a new run"
        raise RecipeError(f"{run} was begun with other data", hint=hint)


def check(run: Path, recipe: object, *, resume: bool) -> None:
    """Raise RecipeError where the folder cannot be taken for this recipe."""
    kept = run / "recipe.yaml"
    if not resume:
        if run.exists() and any(run.iterdir()):
            raise RecipeError(f"{run} is not empty", hint="name a new folder, or --resume this run")
    elif not kept.exists() or not any((run / "checkpoints").glob("checkpoint-*")):
        raise RecipeError(f"{run} holds no checkpoint", hint="start without --resume")
    elif load(kept, type(recipe)) != recipe:  # an older mozi's text may lack a key that has a default
        raise RecipeError(f"{run} was begun with another recipe", hint=f"resume with {kept}")


def last_checkpoint(run: Path) -> tuple[Path, int]:
    """The newest checkpoint that is whole, and its step; those that a killed run left half-written go.

    Raises RecipeError when none is whole.
    """
    found = (run / "checkpoints").glob("checkpoint-*")
    for path in sorted(found, key=lambda path: int(path.name.partition("-")[2]), reverse=True):
        try:
            # The trainer writes this file last.
            step = int(json.loads((path / "trainer_state.json").read_bytes())["global_step"])
        except (OSError, ValueError, KeyError):
            shutil.rmtree(path)
        else:
            return path, step
    raise RecipeError(f"{run} holds no whole checkpoint", hint="start again in a new folder")


def rewind(metrics: Path, step: int) -> None:
    """Take from the metrics what was measured after the step, and a line that was not finished."""
    if not metrics.exists():
        return
    kept = []
    for line in metrics.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(f"{line}\n")
        except ValueError:
            break
    metrics.write_text("".join(kept), "utf-8")


def ask_to_stop(run: Path) -> bool:
    """Have the training of the run save and end; False where there is none yet that could."""
    begun = (run / "recipe.yaml").exists()
    if begun:
        (run / _STOP).touch()
    return begun


def asked_to_stop(run: Path) -> bool:
    """Whether the run is to end."""
    return (run / _STOP).exists()


def forget_stop(run: Path) -> None:
    """Before a training begins: it is not to end because an earlier one was."""
    (run / _STOP).unlink(missing_ok=True)
