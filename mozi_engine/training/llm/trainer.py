"""transformers' Trainer for a causal model's adapter: the loss a token, and the best adapter kept."""

from __future__ import annotations

import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from mozi_engine.errors import DataError, RecipeError
from mozi_engine.generation import loading
from mozi_engine.training.distributed import collective
from mozi_engine.training.llm import rows
from mozi_engine.training.runs import best
from mozi_engine.training.runs.best import Kept

_DIVERGED = "a lower optim.lr, a longer optim.warmup or weights=bfloat16 may help"
_UNLEARNED = "its texts are of one token each: a longer length, a larger batch, or longer texts"


class CausalTrainer(Trainer):  # type: ignore[misc]
    """Stops at a loss that says that nothing is learned any more; weighs every held-out token alike."""

    def __init__(self, *, run: Path, **options: Any) -> None:
        super().__init__(**options)
        self._run = run
        self.measured = Kept(-1, None)  # what was measured last

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The held-out loss a learned token. The trainer's own is a mean over batches, and over processes.

        The adapter is kept if that is the lowest so far. Raises DataError where nothing held out is learned,
        RecipeError where the loss is infinite or no number.
        """
        loss = self._held_out_loss()
        step = self.state.global_step
        if not math.isfinite(loss):
            raise RecipeError(f"the held-out loss is {loss} after step {step}", hint=_DIVERGED)
        self.measured = Kept(step, loss)
        self.log({"eval_loss": loss})
        if step and collective.any_of(best.improves(self._run, loss)):
            self._write(best.lowest(self._run), self.measured)
        measured = {"eval_loss": loss}
        self.callback_handler.on_evaluate(self.args, self.state, self.control, measured)
        return measured

    def _held_out_loss(self) -> float:
        self.model.eval()
        total, targets = 0.0, 0
        with torch.no_grad():
            for row in self.eval_dataset:
                learned = sum(example.targets for example in row)
                if not learned:  # its loss is no number
                    continue
                inputs = self._prepare_inputs(rows.batch([row]))
                total += self.model(**inputs).loss.item() * learned
                targets += learned
        if not targets:
            raise DataError("no token of what is held out can be measured", hint=_UNLEARNED)
        return total / targets

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
        """The trainer's own loss. Raises RecipeError where it is 0, infinite or no number.

        Raises DataError for a batch that teaches no token.
        """
        step = self.state.global_step + 1
        if not (inputs["labels"] != rows.IGNORED).any():
            raise DataError(f"a batch of step {step} has no token to learn", hint=_UNLEARNED)
        computed = super().compute_loss(model, inputs, *args, **options)
        loss = (computed[0] if isinstance(computed, tuple) else computed).item()
        if loss == 0 or not math.isfinite(loss):
            raise RecipeError(f"the loss is {loss} in step {step}", hint=_DIVERGED)
        return computed
