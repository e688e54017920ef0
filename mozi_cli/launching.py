"""A training in processes of its own: started here, or by a job script."""

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mozi_engine.errors import ModelError, RecipeError

if TYPE_CHECKING:
    from mozi_engine.training.distributed.launch import Launch
    from mozi_engine.training.recipe import CausalRecipe

GpusOption = Annotated[
    int | None, typer.Option(min=1, help="Processes on each host, one a GPU; without GPUs, on its processor.")
]
HostfileOption = Annotated[Path | None, typer.Option(help="The hosts, a line each: worker-1 slots=8")]
LauncherOption = Annotated[
    Literal["deepspeed", "torchrun", "none"] | None, typer.Option(help="What starts the processes.")
]
EmitOption = Annotated[Literal["slurm"] | None, typer.Option(help="Print a job script instead of training.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The launching options as they were given."""

    gpus: int | None
    hostfile: Path | None
    launcher: str | None
    emit: str | None

    def launch(self, recipe: CausalRecipe) -> Launch:
        """How the training starts; here, if a launcher started this process.

        Raises what does not go together.
        """
        from mozi_engine.training.distributed import launch, zero

        zero.check(recipe.zero)
        if launch.started(os.environ):
            return launch.Launch(launch.Launcher.none)
        named = launch.Launcher(self.launcher) if self.launcher else None
        return launch.chosen(named, self.gpus, self.hostfile, divided=recipe.zero.stage > 0)


def told(launch: Launch, arguments: Sequence[str]) -> str:
    """The command that starts the training, as a shell takes it."""
    from mozi_engine.training.distributed.launch import command

    return shlex.join(command(launch, arguments, sys.executable))


def memory(launch: Launch, recipe: CausalRecipe, targets: int) -> str:
    """What memory each process needs (see `estimate.predict`), in words.

    And what would fit, where it runs here and less is free.
    """
    from mozi_engine.training.memory.estimate import check, predict, told

    each = " of each process" if launch.processes > 1 else ""
    needed = f"memory{each}: {told(predict(recipe, launch.processes, targets=targets))}"
    try:
        if not launch.hostfile:
            check(recipe, launch.processes, launch.processes, targets=targets)
    except RecipeError as error:
        return f"{needed}; it does not fit here: {error.hint}"
    return needed


def job(launch: Launch, arguments: Sequence[str], run: Path) -> str:
    """A job script for Slurm."""
    from mozi_engine.training.distributed.launch import slurm

    return slurm(launch, arguments, sys.executable, Path.cwd(), run)


def elsewhere(launch: Launch) -> bool:
    """Whether the training is in processes that are still to be started."""
    from mozi_engine.training.distributed.launch import Launcher

    return launch.launcher is not Launcher.none


def follow(
    launch: Launch, arguments: Sequence[str], recipe: CausalRecipe, run: Path, *, resume: bool
) -> None:
    """Start the processes and wait for them. Raises ModelError when they fail, RecipeError before they begin.

    The first Ctrl-C asks them to save and stop, which the shell is then told by exit code 130; a second one
    ends them.
    """
    from mozi_engine.training.distributed.launch import command
    from mozi_engine.training.runs import resuming

    _needs_deepspeed(launch, recipe)
    resuming.check(run, recipe, resume=resume)
    resuming.forget_stop(run)
    threads = max(1, (os.cpu_count() or 1) // max(launch.gpus, 1))
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    words = command(launch, arguments, sys.executable)
    with _started(words, environment, run) as process:
        code = process.wait()
    if resuming.asked_to_stop(run):
        resuming.forget_stop(run)
        if not (run / "adapter").exists():
            raise typer.Exit(130)
    elif code:
        raise ModelError(f"the training ended with exit code {code}", hint="the first error above says why")


def _needs_deepspeed(launch: Launch, recipe: CausalRecipe) -> None:
    from mozi_engine.training.distributed.launch import Launcher

    wanted = recipe.zero.stage or launch.launcher is Launcher.deepspeed
    if wanted and not importlib.util.find_spec("deepspeed"):
        raise ModelError("ZeRO needs deepspeed", hint="pip install 'mozi[train]'")


@contextmanager
def _started(
    words: Sequence[str], environment: dict[str, str], run: Path
) -> Iterator[subprocess.Popen[bytes]]:
    from mozi_cli import console
    from mozi_engine.training.runs import resuming

    process: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  what a handler is given
        if process is None:
            raise KeyboardInterrupt
        if not resuming.asked_to_stop(run) and resuming.ask_to_stop(run):
            console.note("it saves and stops after this step; Ctrl-C again breaks it off")
        else:
            process.terminate()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In a session of its own, or the terminal's Ctrl-C would reach the launcher, which kills all.
        process = subprocess.Popen(words, env=environment, start_new_session=True)
        yield process
    finally:
        if process and process.poll() is None:
            process.terminate()
        for each, handler in before.items():
            signal.signal(each, handler)
