"""Where the tasks of a pipeline run: processes of this machine, a Ray cluster, or Slurm's jobs."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.executor.base import PipelineExecutor
from datatrove.utils.stats import PipelineStats
from loguru import logger

from mozi_engine.errors import DataError

EXECUTORS = ("local", "ray", "slurm")
_Stage = tuple[str, Sequence[Any], int]


@dataclass(frozen=True, slots=True)
class Running:
    """How many tasks run at a time, and where; what is made does not depend on it.

    `partition` and `time` ("hours:minutes:seconds" a task) are Slurm's; `gigabytes` is what a task may take
    there and on Ray.
    """

    executor: str = "local"
    workers: int = 1
    partition: str = ""
    time: str = "20:00:00"
    gigabytes: int = 2


class _Quiet(LocalPipelineExecutor):  # type: ignore[misc]
    """datatrove's, which says everything on stderr too; its log files keep all of it."""

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            try:
                return super()._run_for_rank(rank, local_rank, node_rank)
            finally:
                logger.remove()


def folder(work: Path, stage: str) -> Path:
    """Where a stage keeps its logs, its counts, and which of its tasks are done."""
    return work / "logs" / stage.replace(", ", "-").replace(" ", "-")


def make(name: str, steps: Sequence[Any], tasks: int, work: Path, running: Running) -> PipelineExecutor:
    """The executor of one stage: `local`, or `ray`, which starts Ray here unless RAY_ADDRESS names a cluster.

    Raises DataError where Ray is not installed.
    """
    logger.remove()
    logs = str(folder(work, name))
    if running.executor == "local":
        workers = min(running.workers, tasks)
        return _Quiet(list(steps), tasks=tasks, workers=workers, logging_dir=logs)
    _start_ray(running.workers)
    return RayPipelineExecutor(
        list(steps), tasks=tasks, workers=running.workers, logging_dir=logs, mem_per_cpu_gb=running.gigabytes
    )


def _start_ray(workers: int) -> None:
    # Here, because it is asked for rarely, and is large.
    try:
        import ray
    except ImportError as error:
        hint = "pip install 'mozi[ray]', or use --executor local"
        raise DataError("Ray is not installed", hint=hint) from error
    if not ray.is_initialized():
        at = os.environ.get("RAY_ADDRESS")
        given = {"address": at} if at else {"num_cpus": workers, "include_dashboard": False}
        ray.init(**given, log_to_driver=False, logging_level=logging.ERROR)


def submit(stages: Sequence[_Stage], work: Path, running: Running) -> None:
    """Give all stages to Slurm, each to begin when the one before has ended. Raises DataError."""
    if not shutil.which("sbatch"):
        raise DataError("there is no sbatch here", hint="run this where jobs are submitted, or see --dry-run")
    _slurm(stages, work, running)[-1].run()


def scripts(stages: Sequence[_Stage], work: Path, running: Running) -> list[str]:
    """The script that would be submitted for each stage."""
    found = []
    for executor in _slurm(stages, work, running):
        pickled = executor.logging_dir.resolve_paths("executor.pik")
        command = f"srun -l -n 1 launch_pickled_pipeline {pickled}"
        found.append(executor.get_launch_file_contents(executor.get_sbatch_args(executor.tasks), command))
    return found


def _slurm(stages: Sequence[_Stage], work: Path, running: Running) -> list[SlurmPipelineExecutor]:
    if not running.partition:
        raise DataError("Slurm needs a partition", hint="name it with --partition")
    logger.remove()
    chain: list[SlurmPipelineExecutor] = []
    for name, steps, tasks in stages:
        chain.append(
            SlurmPipelineExecutor(
                list(steps),
                tasks=tasks,
                time=running.time,
                partition=running.partition,
                workers=running.workers,
                mem_per_cpu_gb=running.gigabytes,
                job_name=f"mozi-{folder(work, name).name}",
                logging_dir=str(folder(work, name)),
                venv_path=str(Path(sys.executable).with_name("activate")),
                depends=chain[-1] if chain else None,
            )
        )
    return chain
