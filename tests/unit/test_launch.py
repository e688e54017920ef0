from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("omegaconf")

from mozi_cli import train
from mozi_engine.errors import DataError, RecipeError, SettingsError
from mozi_engine.training.distributed import zero
from mozi_engine.training.distributed.launch import (
    Launch,
    Launcher,
    beside,
    chosen,
    command,
    hosts,
    slurm,
    speaks,
    started,
)
from mozi_engine.training.recipe import Offload, Zero

ARGUMENTS = ("train", "sft", "r.yaml", "optim.lr=1e-4")


@pytest.fixture
def hostfile(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("# two of them\nworker-1 slots=8\n\nworker-2 slots=4 # smaller\n")
    return path


@pytest.mark.parametrize(
    ("launcher", "gpus", "divided", "expected"),
    [
        (None, None, False, Launch(Launcher.none)),
        (None, 1, False, Launch(Launcher.none)),
        (None, 8, False, Launch(Launcher.torchrun, 8)),
        (None, None, True, Launch(Launcher.torchrun, 1)),
        (Launcher.deepspeed, 8, True, Launch(Launcher.deepspeed, 8)),
        (Launcher.torchrun, 1, False, Launch(Launcher.torchrun, 1)),
        (Launcher.none, 1, False, Launch(Launcher.none)),
    ],
)
def test_a_launcher_is_chosen_where_none_is_named(
    launcher: Launcher | None, gpus: int | None, divided: bool, expected: Launch
) -> None:
    assert chosen(launcher, gpus, None, divided=divided) == expected


def test_a_hostfile_means_deepspeeds_launcher(hostfile: Path) -> None:
    assert chosen(None, None, hostfile, divided=False) == Launch(Launcher.deepspeed, 0, hostfile)
    assert hosts(hostfile) == {"worker-1": 8, "worker-2": 4}
    assert [Launch(Launcher.deepspeed, gpus, hostfile).processes for gpus in (0, 6)] == [12, 10]
    with pytest.raises(SettingsError, match="this host only"):
        chosen(Launcher.torchrun, 8, hostfile, divided=False)


def test_several_processes_or_zero_need_a_launcher() -> None:
    with pytest.raises(SettingsError, match="--gpus 2"):
        chosen(Launcher.none, 2, None, divided=False)
    with pytest.raises(SettingsError, match=r"zero\.stage"):
        chosen(Launcher.none, None, None, divided=True)


@pytest.mark.parametrize(
    "text", ["", "# nobody\n", "worker-1\n", "worker-1 slots=0\n", "a slots=1\na slots=2\n", "a slots=x"]
)
def test_a_file_that_names_no_hosts_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts").write_text(text)
    with pytest.raises(DataError):
        chosen(None, None, tmp_path / "hosts", divided=False)


@pytest.mark.parametrize("name", ["none", "."])
def test_a_hostfile_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        hosts(tmp_path / name)


def test_the_commands_that_start_processes(hostfile: Path) -> None:
    here = command(Launch(Launcher.none), ARGUMENTS, "python")
    assert here == ("python", "-m", "mozi_cli", *ARGUMENTS)
    torchrun = command(Launch(Launcher.torchrun, 2), ARGUMENTS, "python")
    assert torchrun[:5] == ("python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert torchrun[5:] == here[1:]
    deepspeed = command(Launch(Launcher.deepspeed, 2), ARGUMENTS, "python")
    assert "--num_gpus=2" in deepspeed
    assert deepspeed[-6:] == ("--module", "mozi_cli", *ARGUMENTS)
    many = command(Launch(Launcher.deepspeed, 0, hostfile), ARGUMENTS, "python")
    assert f"--hostfile={hostfile}" in many
    assert not any(word.startswith("--num_gpus") for word in many)


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ({}, 1),
        ({"RANK": "1", "LOCAL_WORLD_SIZE": "2"}, 2),
        ({"RANK": "1", "LOCAL_SIZE": "4"}, 4),  # DeepSpeed's launcher
        ({"RANK": "1", "LOCAL_WORLD_SIZE": "2", "LOCAL_SIZE": "4"}, 2),
    ],
)
def test_processes_on_this_host_are_counted_whoever_started_them(told: dict[str, str], count: int) -> None:
    assert beside(told) == count


def test_the_first_process_speaks() -> None:
    assert not started({})
    assert speaks({})
    assert started({"RANK": "1"})
    assert [speaks({"RANK": rank}) for rank in "012"] == [True, False, False]


def write(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("resumed", [False, True])
def test_the_job_script_starts_a_training_and_goes_on_with_it(
    tmp_path: Path, hostfile: Path, resumed: bool
) -> None:
    """Run under a Slurm that only says what it is asked to start."""
    tools, run = tmp_path / "tools", Path("runs") / "my paper"
    tools.mkdir()
    write(tools / "scontrol", 'echo "$3-head"; echo other')
    write(tools / "srun", 'printf "%s\\n" "$@"; exit 3')
    if resumed:
        (tmp_path / run / "checkpoints" / "checkpoint-5").mkdir(parents=True)
    made = slurm(Launch(Launcher.deepspeed, 0, hostfile), ARGUMENTS, sys.executable, tmp_path, run)
    assert "#SBATCH --nodes=2\n" in made
    assert "#SBATCH --gpus-per-node=8\n" in made
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "hosts",
        "SLURM_NNODES": "2",
        "SLURM_JOB_ID": "7",
    }
    ran = subprocess.run(["/bin/bash"], input=made, env=environment, capture_output=True, text=True)
    words = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (3, "")
    assert "--rdzv-endpoint=hosts-head:29500" in words
    assert "--nnodes=2" in words
    ends = [*ARGUMENTS, "--resume"] if resumed else [*ARGUMENTS]
    assert words[-len(ends) - 1 :] == ["mozi_cli", *ends]


@pytest.mark.parametrize("more", ["", "sleep 0.3"], ids=["before the training ends", "while it ends"])
def test_a_job_that_is_about_to_end_asks_the_training_to_stop(tmp_path: Path, more: str) -> None:
    tools, run = tmp_path / "tools", Path("run")
    tools.mkdir()
    (tmp_path / run).mkdir()
    write(tools / "scontrol", "echo head")
    write(tools / "touch", f'PATH="${{PATH#*:}}" touch "$@"\n{more}')
    # As Slurm does it: the signal goes to the batch shell alone.
    write(tools / "srun", "kill -USR1 $PPID; until [ -e run/stop ]; do sleep 0.05; done; echo stopped")
    made = slurm(Launch(Launcher.torchrun, 2), ARGUMENTS, "python", tmp_path, run)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "SLURM_NNODES": "1", "SLURM_JOB_ID": "7"}
    ran = subprocess.run(
        ["/bin/bash"], input=made, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, "stopped\n")


def test_a_job_script_is_printed_and_nothing_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    out = tmp_path / "run"
    train.sft("sft-paper", ["base=here"], out=out, adapter="runs/before", gpus=8, emit="slurm")
    script = capsys.readouterr().out
    words = f"-m mozi_cli train sft sft-paper base=here adapter=runs/before --out {out} "
    assert words in script
    assert "--nproc-per-node=8" in script
    assert not out.exists()


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zero_is_configured_as_the_recipe_says(stage: int) -> None:
    found = zero.config(Zero(stage))
    assert found
    assert found["zero_optimization"]["stage"] == stage
    assert "offload_optimizer" not in found["zero_optimization"]
    offloaded = zero.config(Zero(stage, Offload.optimizer))
    assert offloaded
    assert offloaded["zero_optimization"]["offload_optimizer"] == {"device": "cpu"}
    assert not {"bf16", "fp16"} & found.keys()


def test_weights_are_offloaded_in_stage_3() -> None:
    found = zero.config(Zero(3, Offload.all))
    assert found
    assert found["zero_optimization"]["offload_param"] == {"device": "cpu"}
    assert zero.config(Zero()) is None


@pytest.mark.parametrize("asked", [Zero(4), Zero(-1), Zero(0, Offload.optimizer), Zero(2, Offload.all)])
def test_what_zero_cannot_do_is_refused(asked: Zero) -> None:
    with pytest.raises(RecipeError) as error:
        zero.check(asked)
    assert error.value.hint
