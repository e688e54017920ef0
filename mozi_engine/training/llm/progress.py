"""What a training tells while it goes on, and the callback of transformers' Trainer that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import TrainerCallback, TrainingArguments

from mozi_engine.training.distributed import collective
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.runs import history
from mozi_engine.training.runs.step import Clock, Step


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The loss a learned token, in nats, on what is not trained on, after so many steps."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Shortened:
    """What the length of a row cost: of `examples`, `cut` lost their ends; `lost` their answers: left out."""

    examples: int
    cut: int
    lost: int

    def write(self, run: Path) -> None:
        """Keep it in `run/examples.json`."""
        (run / "examples.json").write_text(json.dumps(asdict(self)) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Beyond:
    """Rows are longer than the `context` that the base was made for, in tokens."""

    length: int
    context: int


Report = Callable[[Memory | Beyond | Shortened | Step | Evaluated], None]


class Watch(TrainerCallback):  # type: ignore[misc]
    """Writes down and reports what the trainer measures; asks whether it is to stop."""

    def __init__(
        self,
        sizes: NDArray[np.int64],
        arguments: TrainingArguments,
        run: Path,
        report: Report,
        stopped: Callable[[], bool],
    ) -> None:
        each = arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
        ends = np.arange(0, len(sizes) + each, each).clip(max=len(sizes))
        self._read = np.concatenate([[0], sizes.cumsum()])[ends].tolist()  # tokens, after each step
        self._run, self._report, self._stopped = run, report, stopped
        self._clock = Clock()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Measure the speed from here on, and write down that it runs."""
        self._clock = Clock(self._read[state.global_step])
        if state.is_world_process_zero:
            history.began(self._run, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Save and end, if any of the processes is asked to stop."""
        if collective.any_of(self._stopped()) and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
        """Write down and report a step, or the loss on what is held out."""
        if not state.is_world_process_zero:
            return
        if "eval_loss" in logs:
            self._write(step=state.global_step, held_out_loss=logs["eval_loss"])
            self._report(Evaluated(state.global_step, logs["eval_loss"]))
        elif "loss" in logs:
            step = self._step(state.global_step, state.max_steps, logs)
            self._write(step=step.done, loss=step.loss, lr=step.lr, grad_norm=float(logs["grad_norm"]))
            self._report(step)

    def _step(self, done: int, total: int, logs: dict[str, float]) -> Step:
        read = (self._read[done], self._read[total])
        return self._clock.step((done, total), read, "tokens", logs["loss"], logs["learning_rate"])

    def _write(self, **measured: float) -> None:
        with (self._run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(measured) + "\n")
