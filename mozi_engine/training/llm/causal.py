"""Training a causal language model by LoRA, on transformers' Trainer, whatever its rows are made of."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import get_peft_model, prepare_model_for_kbit_training
from transformers import PrinterCallback, TrainingArguments

from mozi_engine import machine
from mozi_engine.errors import RecipeError
from mozi_engine.generation import loading
from mozi_engine.training import lora
from mozi_engine.training.distributed import launch, zero
from mozi_engine.training.llm import rows
from mozi_engine.training.llm.progress import Beyond, Report, Shortened, Watch
from mozi_engine.training.llm.rows import Rows
from mozi_engine.training.llm.trainer import CausalTrainer
from mozi_engine.training.memory import estimate, footprint, gauge
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.memory.gauge import Compared, Gauge
from mozi_engine.training.recipe import CausalRecipe, Weights
from mozi_engine.training.runs import curves, resuming
from mozi_engine.training.runs.best import Kept
from mozi_engine.training.runs.resuming import Fed

# A step of 1.8 billion parameters took 4.7 GB instead of 7.5 by this, and 16 s instead of 15 to 17; by a
# million, 4.1 GB and 21 s (bfloat16, 668 tokens, two cores, glibc 2.36).
_GIVEN_BACK = 8_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Data:
    """What is learned, in the order in which it is, and what measures that.

    `sizes` are `train`'s tokens; `targets` is how many of a row are learned, at the most; `sha256` tells the
    rows from any others.
    """

    train: Rows
    held_out: Rows
    sizes: NDArray[np.int64]
    targets: int
    sha256: str

    @property
    def tokens(self) -> int:
        """Tokens that are read in training, of all epochs."""
        return int(self.sizes.sum())

    @property
    def shortened(self) -> Shortened | None:
        """What the length of a row cost; None where what is too long goes on in another row."""
        return None


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
    found = read(arguments.world_size)
    with arguments.main_process_first(local=False):
        needed = _needed(recipe, found.targets, arguments, report)
        fed = Fed(found.sha256, arguments.world_size)
        checkpoint, step = _begin(recipe, run, fed, resume=resume, first=arguments.process_index == 0)
    machine.give_back(_GIVEN_BACK)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    if found.shortened and arguments.process_index == 0:
        found.shortened.write(run)
        report(found.shortened)
    torch.manual_seed(recipe.seed)
    used = Gauge()
    watch = Watch(found.sizes, arguments, run, report, stopped)
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
    model: Any, arguments: TrainingArguments, found: Data, run: Path, watch: Watch, step: int
) -> CausalTrainer:
    """The trainer that goes on after `step`; its first process also writes for TensorBoard."""
    written = curves.tensorboard(run, step) if arguments.process_index == 0 else []
    trainer = CausalTrainer(
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


def _needed(recipe: CausalRecipe, targets: int, arguments: TrainingArguments, report: Report) -> Memory:
    """The memory that it needs. The first process refuses what does not fit, and tells the rest."""
    if arguments.process_index:
        return estimate.predict(recipe, arguments.world_size, targets=targets)
    beside = launch.beside(os.environ)
    needed = estimate.check(recipe, arguments.world_size, beside, targets=targets)
    report(needed)
    if too_long := beyond(recipe):
        report(too_long)
    return needed


def beyond(recipe: CausalRecipe) -> Beyond | None:
    """That the rows are longer than the base was made for, where they are. Raises ModelError.

    The original Mozi read 4,096 tokens with LLaMA's 2,048, so that it is told, and not refused.
    """
    context = footprint.context(recipe.base)
    return Beyond(recipe.length, context) if context and recipe.length > context else None


def _begin(
    recipe: CausalRecipe, run: Path, fed: Fed, *, resume: bool, first: bool
) -> tuple[Path | None, int]:
    """Take the run's folder, and set it back to the checkpoint and the step from which it goes on.

    Of several processes only the `first` changes anything, before the others look.
    """
    if first:
        resuming.claim(run, recipe, fed, resume=resume)
    checkpoint, step = resuming.last_checkpoint(run) if resume else (None, 0)
    if first:
        resuming.rewind(run / "metrics.jsonl", step)
    return checkpoint, step


def _model(recipe: CausalRecipe) -> Any:
    """The base with the adapter that is trained: a new one, or an earlier training's."""
    model = loading.model(recipe.base, recipe.weights.value)
    model.config.use_cache = False
    if recipe.weights is Weights.nf4:
        model = prepare_model_for_kbit_training(
            lora.learnable(model), use_gradient_checkpointing=recipe.checkpointing
        )
    elif recipe.checkpointing:
        model.enable_input_require_grads()  # or nothing asks the checkpointed layers for gradients
    adapted = _continued(model, recipe) if recipe.adapter else get_peft_model(model, lora.config(recipe.lora))
    return lora.mixed(adapted, recipe.weights)


def _continued(model: Any, recipe: CausalRecipe) -> Any:
    """The base with an earlier training's adapter, which must be of the recipe's shape."""
    wanted = recipe.lora
    adapted = loading.adapted(model, loading.adapter(Path(recipe.adapter)), dropout=wanted.dropout)
    known = adapted.peft_config["default"]
    if (known.r, known.lora_alpha) != (wanted.rank, wanted.alpha):
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
