"""Fine-tuning a causal language model on conversations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mozi_engine.errors import DataError
from mozi_engine.generation import template
from mozi_engine.training.llm import causal, conversations
from mozi_engine.training.llm.causal import Trained
from mozi_engine.training.llm.conversations import Examples
from mozi_engine.training.llm.progress import Report, Shortened
from mozi_engine.training.llm.rows import tokens
from mozi_engine.training.recipe import LossOn, SftRecipe


@dataclass(frozen=True, slots=True)
class Data(causal.Data):
    """And the conversations that it is made of."""

    examples: Examples

    @property
    def shortened(self) -> Shortened:
        """What the recipe's length cost those that are trained on."""
        found = self.examples
        return Shortened(len(found.items) + found.lost, found.cut, found.lost)


def data(recipe: SftRecipe, processes: int = 1) -> Data:
    """The recipe's data, as rows of tokens, for so many processes together. Raises DataError, ModelError.

    More conversations that are cut than the recipe allows are an error, and so are none at all.
    """
    tokenizer = template.tokenizer(recipe.base)
    found = _examples(recipe, recipe.data.train, tokenizer)
    held_out = _examples(recipe, recipe.data.evaluate, tokenizer) if recipe.data.evaluate else None
    rows = conversations.epochs(found.items, recipe.length, recipe.epochs, recipe.seed, pack=recipe.packed)
    if recipe.steps:
        rows = rows[: recipe.steps * recipe.batch * recipe.accumulate * processes]
    measured = conversations.packed(held_out.items, recipe.length, recipe.seed) if held_out else ()
    sizes = np.array([tokens(row) for row in rows], dtype=np.int64)
    targets = max(sum(example.targets for example in row) for row in (*rows, *measured))
    return Data(tuple(rows), tuple(measured), sizes, targets, conversations.digest(rows), found)


def _examples(recipe: SftRecipe, paths: Sequence[str], tokenizer: Any) -> Examples:
    read = conversations.read(paths)
    found = conversations.examples(read, tokenizer, recipe.length, all_turns=recipe.loss_on is LossOn.all)
    total = len(found.items) + found.lost
    short = found.cut + found.lost
    if not total:
        raise DataError(f"no conversation in {', '.join(paths)}", hint="mozi prepare makes sft.jsonl")
    if short > recipe.cut * total or not found.items:
        raise DataError(
            f"{short} of {total} conversations are longer than {recipe.length} tokens "
            f"({found.lost} lose their whole answer)",
            hint="raise length, or allow that share: cut=0.05",
        )
    return found


def train(
    recipe: SftRecipe,
    run: Path,
    report: Report,
    *,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train on the recipe's conversations; see `causal.train`."""
    read, measured = partial(data, recipe), bool(recipe.data.evaluate)
    return causal.train(recipe, read, run, report, measured=measured, resume=resume, stopped=stopped)
