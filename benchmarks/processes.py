"""One recipe trained in several ways that must give the same: processes, ZeRO, killed and resumed.

    python benchmarks/processes.py sft.jsonl WORK

`sft.jsonl` is what `mozi prepare` writes; the model has random weights, made here, so that this runs on two
cores. Prints a Markdown table, every figure from the runs' own files, which stay in WORK. Needs g++, of which
DeepSpeed builds what processes on one processor talk by.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from safetensors.torch import load_file

from mozi_engine.training import recipe
from mozi_engine.training.recipe import ConversationData, Lora, Optim, SftRecipe, Weights
from mozi_engine.training.runs import history
from tests import tiny_llama

STEPS, EVERY = 20, 5
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
}
TWO = ("--gpus", "2", "--launcher", "torchrun")
WAYS = {
    "two processes, no ZeRO": TWO,
    "two processes, ZeRO-1": (*TWO, "zero.stage=1"),
    "two processes, ZeRO-2": (*TWO, "zero.stage=2"),
    "two processes, ZeRO-2, optimizer offloaded": (*TWO, "zero.stage=2", "zero.offload=optimizer"),
    "two processes, ZeRO-3, all offloaded": (*TWO, "zero.stage=3", "zero.offload=all"),
    "two processes, ZeRO-2, DeepSpeed's launcher": ("--gpus", "2", "--launcher", "deepspeed", "zero.stage=2"),
}
QUANTISED = {
    "two processes, nf4, no ZeRO": (*TWO, "weights=nf4"),
    "two processes, nf4, ZeRO-2": (*TWO, "weights=nf4", "zero.stage=2"),
    "two processes, nf4, ZeRO-3": (*TWO, "weights=nf4", "zero.stage=3"),
}


class Row(NamedTuple):
    """One line of the table: a run against another, by their own files."""

    what: str
    against: str
    loss: float
    held_out: float
    weights: float
    same_bytes: bool
    seconds: float


def main() -> None:
    """Train in every way, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conversations", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the steps at which runs are killed")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    written = prepared(options.conversations.resolve(), options.work)
    print("| run | against | loss | held-out loss | weights | same bytes | seconds |")
    print("|---|---|---|---|---|---|---|")
    for row in rows(written, options.work, random.Random(options.seed)):  # noqa: S311
        differences = " | ".join(f"{value:.1e}" for value in (row.loss, row.held_out, row.weights))
        same = "yes" if row.same_bytes else "no"
        print(f"| {row.what} | {row.against} | {differences} | {same} | {row.seconds:.0f} |", flush=True)


def prepared(conversations: Path, work: Path) -> Path:
    """The recipe's file: a model of a million random weights, and the conversations in two parts."""
    base = tiny_llama.build(work / "base", **SHAPE)
    lines = conversations.read_text("utf-8").splitlines(keepends=True)
    (work / "train.jsonl").write_text("".join(lines[:-8]), "utf-8")
    (work / "dev.jsonl").write_text("".join(lines[-8:]), "utf-8")
    made = SftRecipe(
        base=str(base),
        data=ConversationData([str(work / "train.jsonl")], [str(work / "dev.jsonl")]),
        lora=Lora(rank=16, alpha=16),
        optim=Optim(lr=2e-3, warmup=0.1),
        weights=Weights.float32,
        length=256,
        cut=1.0,
        batch=1,
        epochs=20,
        steps=STEPS,
        save_every=EVERY,
        evaluate_every=10,
        threads=1,
    )
    (work / "recipe.yaml").write_text(recipe.written(made), "utf-8")
    return work / "recipe.yaml"


def rows(written: Path, work: Path, chance: random.Random) -> Iterator[Row]:
    """Every way against one process that accumulates twice; what was killed against what was not."""
    one, four_bits = work / "one process, two batches a step", work / "one process, nf4, two batches a step"
    train(written, one, ("accumulate=2",))
    train(written, four_bits, ("accumulate=2", "weights=nf4"))
    for other, ways in ((one, WAYS), (four_bits, QUANTISED)):
        for what, words in ways.items():
            seconds = train(written, work / what, words)
            yield compared(work / what, other, seconds)
    killed = {one.name: ("accumulate=2",), "two processes, ZeRO-2": WAYS["two processes, ZeRO-2"]}
    for what, words in killed.items():
        step = chance.randint(EVERY + 1, STEPS - 1)
        run = work / f"{what}, killed in step {step} and resumed"
        began = time.monotonic()
        kill(written, run, words, step)
        train(written, run, (*words, "--resume"))
        yield compared(run, work / what, time.monotonic() - began)


def command(written: Path, run: Path, words: Sequence[str]) -> list[str]:
    """The words that train the recipe into the run's folder."""
    return [sys.executable, "-m", "mozi_cli", "train", "sft", str(written), *words, "--out", str(run)]


def train(written: Path, run: Path, words: Sequence[str]) -> float:
    """Train to the end; the seconds that took."""
    began = time.monotonic()
    subprocess.run(command(written, run, words), check=True, stdout=sys.stderr)
    return time.monotonic() - began


def kill(written: Path, run: Path, words: Sequence[str], step: int) -> None:
    """Train, and kill every process of it by SIGKILL as soon as the step is measured."""
    process = psutil.Popen(command(written, run, words), stdout=sys.stderr)
    while not (run / "metrics.jsonl").exists() or history.read(run).step < step:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.02)
    for each in (*process.children(recursive=True), process):
        each.kill()
    process.wait()


def compared(run: Path, other: Path, seconds: float) -> Row:
    """How far apart two runs are: the largest difference of any step, and of any weight."""
    told = [history.read(each) for each in (run, other)]
    measures = [[read.measured(name) for read in told] for name in ("loss", "held_out_loss")]
    differences = []
    for first, second in measures:
        assert first
        assert second
        assert first.steps == second.steps, (run, other)
        differences.append(max(abs(a - b) for a, b in zip(first.values, second.values, strict=True)))
    files = [each / "adapter" / "adapter_model.safetensors" for each in (run, other)]
    weights = [load_file(file) for file in files]
    apart = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[1])
    same = files[0].read_bytes() == files[1].read_bytes()
    return Row(run.name, other.name, differences[0], differences[1], apart, same, seconds)


if __name__ == "__main__":
    main()
