"""A training in processes of its own: started here, or by a job script."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from mozi_engine.errors import ModelError

GpusOption = Annotated[
    int | None, typer.Option(min=1, help="Processes on each host, one a GPU; without GPUs, on its processor.")
]
HostfileOption = Annotated[Path | None, typer.Option(help="The hosts, a line each: worker-1 slots=8")]
LauncherOption = Annotated[
    Literal["deepspeed", "torchrun", "none"] | None, typer.Option(help="What starts the processes.")
]
EmitOption = Annotated[Literal["slurm"] | None, typer.Option(help="Print a job script instead of training.")]


def follow(command: Sequence[str], run: Path) -> None:
    """Start the processes and wait for them. Raises ModelError when they fail.

    The first Ctrl-C asks them to save and stop, which the shell is then told by exit code 130; a second one
    ends them.
    """
    from mozi_engine.training import runs

    runs.forget_stop(run)
    # A session of its own, or the terminal's Ctrl-C would reach the launcher too, which kills its processes.
    process = subprocess.Popen(command, start_new_session=True)
    with _stopping(process, run):
        code = process.wait()
    if runs.asked_to_stop(run):
        runs.forget_stop(run)
        raise typer.Exit(130)
    if code:
        raise ModelError(f"the training ended with exit code {code}", hint="the first error above says why")


@contextmanager
def _stopping(process: subprocess.Popen[bytes], run: Path) -> Iterator[None]:
    from mozi_cli import console
    from mozi_engine.training import runs

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  what a handler is given
        if not runs.asked_to_stop(run) and runs.ask_to_stop(run):
            console.note("it saves and stops after this step; Ctrl-C again breaks it off")
        else:
            process.terminate()

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
        for each, handler in before.items():
            signal.signal(each, handler)
