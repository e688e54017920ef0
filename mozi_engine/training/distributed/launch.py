"""How a training's processes are started: by torchrun, by DeepSpeed's launcher, or by Slurm."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mozi_engine.errors import DataError, SettingsError


class Launcher(Enum):
    """What starts the processes; none: there is one, and it is here."""

    none = "none"
    torchrun = "torchrun"
    deepspeed = "deepspeed"


@dataclass(frozen=True, slots=True)
class Launch:
    """`gpus` processes on each host, one a GPU; without GPUs they share its processor.

    With a hostfile they are on the hosts that it names, else on this one; `gpus` 0: as many as it says.
    """

    launcher: Launcher
    gpus: int = 1
    hostfile: Path | None = None

    @property
    def processes(self) -> int:
        """How many there are, on all hosts. Raises DataError."""
        if not self.hostfile:
            return self.gpus
        return sum(min(slots, self.gpus or slots) for slots in hosts(self.hostfile).values())


def chosen(launcher: Launcher | None, gpus: int | None, hostfile: Path | None, *, divided: bool) -> Launch:
    """What was asked for, and what follows from it where nothing was.

    `divided` says that the recipe has ZeRO, which a launcher must have started, even for one process.
    Raises DataError for a hostfile that is none, SettingsError for what does not go together.
    """
    if hostfile:
        hosts(hostfile)
        if launcher not in (None, Launcher.deepspeed):
            raise SettingsError(
                f"--launcher {launcher.value} starts processes on this host only",
                hint="--launcher deepspeed with a hostfile, or --emit slurm",
            )
        return Launch(Launcher.deepspeed, gpus or 0, hostfile)
    several = (gpus or 1) > 1
    if launcher is Launcher.none and (several or divided):
        why = f"--gpus {gpus}" if several else "a recipe with zero.stage"
        raise SettingsError(f"{why} needs a launcher", hint="--launcher torchrun or deepspeed")
    default = Launcher.torchrun if several or divided else Launcher.none
    return Launch(launcher or default, gpus or 1)


def started(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process."""
    return "RANK" in environment


def speaks(environment: Mapping[str, str]) -> bool:
    """Whether this is the process that tells of the training: the only one, or the first of them."""
    return environment.get("RANK", "0") == "0"


def beside(environment: Mapping[str, str]) -> int:
    """How many of the processes are on this host, this one too; DeepSpeed's launcher says LOCAL_SIZE."""
    return int(environment.get("LOCAL_WORLD_SIZE") or environment.get("LOCAL_SIZE") or "1")


def hosts(hostfile: Path) -> dict[str, int]:
    """The hosts in DeepSpeed's hostfile ("worker-1 slots=8"), and the GPUs of each. Raises DataError."""
    try:
        lines = hostfile.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        # DeepSpeed would go on without it, on this host alone.
        raise DataError(f"{hostfile} cannot be read", hint="a line a host: worker-1 slots=8") from error
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        match = re.fullmatch(r"(\S+)\s+slots=([1-9]\d*)", text)
        if text and (not match or match[1] in found):
            what = "names a host again" if match else "is no host"
            raise DataError(
                f"{hostfile}, line {number} {what}: {text}", hint="a line a host: worker-1 slots=8"
            )
        if match:
            found[match[1]] = int(match[2])
    if not found:
        raise DataError(f"{hostfile} names no host", hint="a line a host: worker-1 slots=8")
    return found


def command(launch: Launch, arguments: Sequence[str], python: str) -> tuple[str, ...]:
    """The words of the command that starts the processes; `arguments` are mozi's own."""
    module = ("-m", "mozi_cli", *arguments)
    if launch.launcher is Launcher.none:
        return (python, *module)
    if launch.launcher is Launcher.torchrun:
        torchrun = (python, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={launch.gpus}")
        return (*torchrun, *module)
    where = (f"--hostfile={launch.hostfile}",) if launch.hostfile else ()
    number = (f"--num_gpus={launch.gpus}",) if launch.gpus else ()
    deepspeed = (
        python,
        "-m",
        "deepspeed.launcher.runner",
        *where,
        *number,
        "--quiet",
        "--no_local_rank",
        "--module",
    )
    return (*deepspeed, "mozi_cli", *arguments)


_SLURM = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --output={log}
# Print with `mozi train … --emit slurm`; submit with `sbatch`, whose options go before those above.

cd {folder} || exit
run={run}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# Submitted again, it goes on from its last checkpoint.
resume=()
if compgen -G "$run/checkpoints/checkpoint-*" > /dev/null; then resume=(--resume); fi

# Five minutes before its time is over it saves and stops.
rm -f "$run/stop"
trap 'touch "$run/stop"' USR1

srun --kill-on-bad-exit=1 {python} -m torch.distributed.run \\
  --nnodes="$SLURM_NNODES" --nproc-per-node={gpus} \\
  --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$head:29500" \\
  -m mozi_cli {arguments} "${{resume[@]}}" &
training=$!

# The signal breaks off a wait; the last one tells how the training ended.
while kill -0 "$training" 2> /dev/null; do wait "$training"; done
wait "$training"
"""


def slurm(launch: Launch, arguments: Sequence[str], python: str, folder: Path, run: Path) -> str:
    """A job script for Slurm, which trains in `folder` into `run`, on as many hosts as the hostfile names.

    `arguments` are mozi's own, without --resume: the script adds it where there is a checkpoint.
    """
    name = re.sub(r"[^\w.-]", "-", run.name)
    named = hosts(launch.hostfile) if launch.hostfile else {"here": launch.gpus}
    return _SLURM.format(
        name=f"mozi-{name}",
        nodes=len(named),
        gpus=launch.gpus or max(named.values()),
        log=f"{name}-%j.log",
        folder=shlex.quote(str(folder)),
        run=shlex.quote(str(run)),
        python=shlex.quote(python),
        arguments=shlex.join(arguments),
    )
