"""Training a causal language model by LoRA, on transformers' Trainer, whatever its rows are made of."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from mozi_engine.errors import RecipeError
from mozi_engine.generation import loading
from mozi_engine.training.distributed import zero
from mozi_engine.training.llm import rows
from mozi_engine.training.llm.rows import Rows
from mozi_engine.training.memory import estimate, gauge
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.memory.gauge import Compared, Gauge
from mozi_engine.training.recipe import CausalRecipe, Weights
from mozi_engine.training.runs import best, curves, history, resuming
from mozi_engine.training.runs.best import Kept


@dataclass(frozen=True, slots=True)
class Step:
    """Training so far: `done` of `total` steps; `loss` a learned token, in nats, and `lr` of the last step.

    `bytes` is the memory taken: the GPU's peak where there is one, else the process's now.
    """

    done: int
    total: int
    loss: float
    lr: float
    tokens_per_second: float
    bytes: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The loss a learned token, in nats, on what is not trained on, after so many steps."""

    step: int
    loss: float


Report = Callable[[Memory | Step | Evaluated], None]


@dataclass(frozen=True, slots=True)
class Data:
    """What is learned, in the order in which it is, and what measures that; `sizes` are `train`'s tokens."""

    train: Rows
    held_out: Rows
    sizes: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Tokens that are read in training, of all epochs."""
        return int(self.sizes.sum())


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended: after `done` of `total` steps; `adapter` is None where it was stopped before."""

    done: int
    total: int
    adapter: Path | None
    kept: Kept | None = None  # what the adapter is
    memory: Compared | None = None  # what was predicted, and taken


def train(
    recipe: CausalRecipe,
    read: Callable[[int], Data],
    run: Path,
    report: Report,
    *,
    measured: bool,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, and leave the adapter in `run/adapter`; `report` hears of its memory and every step.

    `read` is told how many processes share the data, and gives it; `measured` says that some is held out.
    `run` keeps the recipe, the last checkpoints and `metrics.jsonl`. `stopped` is asked after each step: a
    yes saves a checkpoint and ends. With `resume` a run goes on from its last checkpoint to the bytes that an
    unbroken one would have made. Processes that torchrun started share each step: so many times the batch.
    Raises DataError, ModelError, RecipeError.
    """
    zero.check(recipe.zero)
    # This meets the other processes, where there are any.
    arguments = _arguments(recipe, run, measured=measured, resume=resume)
    with arguments.main_process_first(local=False):
        needed = _needed(recipe, arguments, report)
        checkpoint, step = _begin(recipe, run, resume=resume, first=arguments.process_index == 0)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    found = read(arguments.world_size)
    torch.manual_seed(recipe.seed)
    used = Gauge()
    watch = _Watch(found.sizes, arguments, run, report, stopped)
    trainer = _trainer(_model(recipe), arguments, found, run, watch, step)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    compared = Compared(needed, used.measured())
    if arguments.process_index == 0:
        gauge.write(compared, run)
    done, total = trainer.state.global_step, trainer.state.max_steps
    if done < total:
        return Trained(done, total, None, memory=compared)
    if found.held_out and trainer.measured.step != done:
        trainer.evaluate()
    kept = trainer.leave(best_of_all=recipe.best)
    return Trained(done, total, run / "adapter", kept, compared)


def _trainer(
    model: Any, arguments: TrainingArguments, found: Data, run: Path, watch: _Watch, step: int
) -> _Checked:
    """The trainer that goes on after `step`; its first process also writes for TensorBoard."""
    written = curves.tensorboard(run, step) if arguments.process_index == 0 else []
    trainer = _Checked(
        model=model,
        args=arguments,
        train_dataset=found.train,
        eval_dataset=found.held_out or None,
        data_collator=rows.batch,
        callbacks=[watch, *written],
        run=run,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _needed(recipe: CausalRecipe, arguments: TrainingArguments, report: Report) -> Memory:
    """The memory that it needs. The first process refuses what does not fit, and tells the rest."""
    if arguments.process_index:
        return estimate.predict(recipe, arguments.world_size)
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    needed = estimate.check(recipe, arguments.world_size, beside)
    report(needed)
    return needed


def _begin(recipe: CausalRecipe, run: Path, *, resume: bool, first: bool) -> tuple[Path | None, int]:
    """Take the run's folder, and set it back to the checkpoint and the step from which it goes on.

    Of several processes only the `first` changes anything, before the others look.
    """
    if first:
        resuming.claim(run, recipe, resume=resume)
    checkpoint, step = resuming.last_checkpoint(run) if resume else (None, 0)
    if first:
        resuming.rewind(run / "metrics.jsonl", step)
    return checkpoint, step


def _model(recipe: CausalRecipe) -> Any:
    """The base with the adapter that is trained: a new one, or an earlier training's."""
    model = loading.model(recipe.base, recipe.weights.value)
    model.config.use_cache = False
    if recipe.weights is Weights.nf4:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=recipe.checkpointing)
    elif recipe.checkpointing:
        model.enable_input_require_grads()  # or nothing asks the checkpointed layers for gradients
    wanted = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    if not recipe.adapter:
        return get_peft_model(model, wanted)
    adapted = loading.adapted(model, loading.adapter(Path(recipe.adapter)), trainable=True)
    known = adapted.peft_config["default"]
    if (known.r, known.lora_alpha) != (wanted.r, wanted.lora_alpha):
        raise RecipeError(
            f"the adapter {recipe.adapter} has rank {known.r} and alpha {known.lora_alpha}",
            hint=f"train it on with lora.rank={known.r} lora.alpha={known.lora_alpha}",
        )
    return adapted


def _arguments(recipe: CausalRecipe, run: Path, *, measured: bool, resume: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(run / "checkpoints"),
        num_train_epochs=1,  # the rows of all epochs follow each other
        train_sampling_strategy="sequential",
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.optim.lr,
        lr_scheduler_type="linear",
        warmup_steps=recipe.optim.warmup,
        weight_decay=recipe.optim.weight_decay,
        adam_beta1=recipe.optim.beta1,
        adam_beta2=recipe.optim.beta2,
        max_grad_norm=recipe.optim.clip,
        activation_checkpointing=recipe.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if recipe.checkpointing else None,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=recipe.keep,
        eval_strategy="steps" if measured and recipe.evaluate_every else "no",
        eval_steps=recipe.evaluate_every or None,
        eval_on_start=measured and not resume,
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),  # or processes without a GPU do not find each other
        report_to="none",
        deepspeed=zero.config(recipe.zero),
        disable_tqdm=True,
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,  # every part of the adapter is used in every step
        remove_unused_columns=False,
    )


class _Checked(Trainer):  # type: ignore[misc]
    """Stops at a loss that says that nothing is learned any more; weighs every held-out token alike."""

    def __init__(self, *, run: Path, **options: Any) -> None:
        super().__init__(**options)
        self._run = run
        self.measured = Kept(-1, None)  # what was measured last

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The held-out loss a learned token. The trainer's own is a mean over batches, and over processes.

        The adapter is kept if that is the lowest so far.
        """
        self.model.eval()
        total, targets = 0.0, 0
        with torch.no_grad():
            for row in self.eval_dataset:
                learned = sum(example.targets for example in row)
                inputs = self._prepare_inputs(rows.batch([row]))
                total += self.model(**inputs).loss.item() * learned
                targets += learned
        loss = total / targets
        self.measured = Kept(self.state.global_step, loss)
        self.log({"eval_loss": loss})
        if self.state.global_step and any_of(best.improves(self._run, loss)):
            self._write(best.lowest(self._run), self.measured)
        measured = {"eval_loss": loss}
        self.callback_handler.on_evaluate(self.args, self.state, self.control, measured)
        return measured

    def leave(self, *, best_of_all: bool) -> Kept:
        """Put an adapter in its place when the training is over: the last, or that of the lowest loss."""
        lowest, adapter = best.lowest(self._run), self._run / "adapter"
        kept = best.read(lowest) if best_of_all else None
        if kept is None:
            step = self.state.global_step
            kept = self.measured if self.measured.step == step else Kept(step, None)
            self._write(adapter, kept)
        elif self.is_world_process_zero():
            best.write(adapter, kept, partial(shutil.copytree, lowest))
        return kept

    def _write(self, adapter: Path, kept: Kept) -> None:
        """Write the adapter as it is now; every process must ask, and the first one writes."""
        first = self.is_world_process_zero()

        def save(part: Path) -> None:
            self.model.save_pretrained(str(part), is_main_process=first)
            loading.remember_base(self.model, part)

        with loading.whole([weight for weight in self.model.parameters() if weight.requires_grad]):
            if first:
                best.write(adapter, kept, save)
            else:
                loading.fingerprint(self.model)  # the first process cannot gather it alone

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *args: Any, **options: Any) -> Any:
        computed = super().compute_loss(model, inputs, *args, **options)
        loss = (computed[0] if isinstance(computed, tuple) else computed).item()
        if loss == 0 or not math.isfinite(loss):
            raise RecipeError(
                f"the loss is {loss} in step {self.state.global_step + 1}",
                hint="a lower optim.lr, a longer optim.warmup or weights=bfloat16 may help",
            )
        return computed


class _Watch(TrainerCallback):  # type: ignore[misc]
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
        self._began, self._first = 0.0, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._began, self._first = time.monotonic(), state.global_step
        if state.is_world_process_zero:
            history.began(self._run, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if any_of(self._stopped()) and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
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
        seconds = max(time.monotonic() - self._began, 1e-9)
        speed = (self._read[done] - self._read[self._first]) / seconds
        left = (self._read[total] - self._read[done]) / speed
        return Step(done, total, logs["loss"], logs["learning_rate"], speed, _memory(), left)

    def _write(self, **measured: float) -> None:
        with (self._run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(measured) + "\n")


def any_of(told: bool) -> bool:
    """Whether any of the processes was told so: they must do the same, or they wait for each other."""
    if not torch.distributed.is_initialized():
        return told
    answer = torch.tensor(int(told), device=loading.device())
    torch.distributed.all_reduce(answer, torch.distributed.ReduceOp.MAX)
    return bool(answer.item())


def _memory() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return int(psutil.Process().memory_info().rss)
