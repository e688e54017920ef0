"""Whether a training fits: the memory that its recipe asks for, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import psutil
import torch

from mozi_engine.errors import RecipeError
from mozi_engine.files import size
from mozi_engine.training import recipe as recipes
from mozi_engine.training.memory.footprint import Footprint, Parameters, Peak
from mozi_engine.training.recipe import CausalRecipe, Lora, Offload, Weights, Zero

_FLOAT32 = 4
_WIDTHS = {Weights.float32: 4.0, Weights.bfloat16: 2.0, Weights.nf4: 0.5 + 1 / 64 + 4 / (64 * 256)}
_GATHERED = 10**9  # parameters that ZeRO-3 lets be whole at once: DeepSpeed's stage3_max_live_parameters
_BUCKET = 5 * 10**8  # gradients that ZeRO sends at once: DeepSpeed's reduce_bucket_size


@dataclass(frozen=True, slots=True)
class Memory:
    """The bytes that each process of a training needs at the most, where it computes, by what they hold.

    `exchange` is what processes send each other; `offloaded` lies in the processor's memory, not in the sum.
    """

    weights: int
    adapter: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    exchange: int
    offloaded: int

    @property
    def total(self) -> int:
        """All of it but what is offloaded."""
        parts: dict[str, int] = asdict(self)
        return sum(parts.values()) - self.offloaded


def predict(recipe: CausalRecipe, processes: int = 1, *, targets: int = 0) -> Memory:
    """The memory of a training by its recipe and its base's config. Raises ModelError without a config.

    `targets` is how many tokens of a row are learned at the most; 0: all.

    weights: 4 bytes a parameter, 2 in bfloat16; in nf4 half a byte and, for each 64, a scale of 8 bits, of
    which each 256 share one of 32 (Dettmers et al., 2023, section 3), but 4 bytes outside of linear layers.
    adapter, gradients: 4 bytes a parameter of LoRA (Hu et al., 2021), which PEFT keeps in float32.
    optimizer: AdamW's two moments, 8 bytes each; with ZeRO also DeepSpeed's own copy of the adapter, 4 bytes.
    ZeRO divides by the processes the optimizer, from stage 2 gradients, in stage 3 weights and adapter too
    (Rajbhandari et al., 2020, section 5), and keeps a bucket of gradients, and whole weights in stage 3.
    activations, logits: of one batch of full rows, counted operation by operation (see `footprint`); logits
    only where the next token is learned.
    """
    lora, zero = recipe.lora, recipe.zero
    adapted = (lora.rank, lora.alpha, lora.dropout)
    shape = (recipe.length, min(targets or recipe.length, recipe.length))
    numbers, row = _counted(recipe.base, recipe.weights, adapted, shape, recipe.checkpointing)
    weights = _weights(numbers, recipe.weights)
    adapter = _FLOAT32 * numbers.adapter
    optimizer = (3 if zero.stage else 2) * adapter // (processes if zero.stage >= 1 else 1)
    share = processes if zero.stage == 3 else 1
    held = Memory(
        weights=weights // share,
        adapter=adapter // share,
        gradients=adapter // (processes if zero.stage >= 2 else 1),
        optimizer=optimizer,
        activations=recipe.batch * row.activations,
        logits=recipe.batch * row.logits,
        exchange=_exchange(zero, processes, numbers, weights),
        offloaded=0,
    )
    return _offloaded(held, zero.offload)


@lru_cache(maxsize=32)
def _counted(
    base: str, weights: Weights, lora: tuple[int, int, float], shape: tuple[int, int], checkpointing: bool
) -> tuple[Parameters, Peak]:
    """A model's parameters, and the peak of one row: each takes as much, and none knows of the others."""
    counted = Footprint(base, weights, Lora(*lora))
    return counted.parameters, counted.step(1, *shape, checkpointing=checkpointing)


def _weights(numbers: Parameters, precision: Weights) -> int:
    width = _WIDTHS[precision]
    return int(numbers.linear * width + numbers.other * (width if precision is not Weights.nf4 else _FLOAT32))


def _exchange(zero: Zero, processes: int, numbers: Parameters, weights: int) -> int:
    """Without ZeRO, torch's DistributedDataParallel copies the gradients into its buckets."""
    if not zero.stage:
        return _FLOAT32 * numbers.adapter if processes > 1 else 0
    # A processor does not give what is only reserved.
    bucket = _FLOAT32 * (_BUCKET if torch.cuda.is_available() else min(_BUCKET, numbers.adapter))
    total = numbers.linear + numbers.other
    return bucket + (weights * min(total, _GATHERED) // total if zero.stage == 3 else 0)


def _offloaded(held: Memory, offload: Offload) -> Memory:
    """On a processor nothing is offloaded: it is there already."""
    if offload is Offload.none or not torch.cuda.is_available():
        return held
    if offload is Offload.optimizer:
        return replace(held, optimizer=0, offloaded=held.optimizer)
    moved = held.optimizer + held.weights + held.adapter
    return replace(held, optimizer=0, weights=0, adapter=0, offloaded=moved)


def check(recipe: CausalRecipe, processes: int = 1, beside: int = 1, *, targets: int = 0) -> Memory:
    """What the training needs (see `predict`); `beside` of the processes are on this machine.

    Raises RecipeError where that is more than is free, with the first change of the recipe that would fit.
    """
    needed = predict(recipe, processes, targets=targets)
    if _fits(needed, beside):
        return needed
    for smaller, words in _smaller(recipe, processes, targets):
        if _fits(smaller, beside):
            hint = f"it needs about {size(smaller.total)} with {words}"
            break
    else:
        hint = "no change of the recipe is enough: take a smaller base, or a machine with more memory"
    each = " in each process" if beside > 1 else ""
    raise RecipeError(f"the training needs {told(needed)}{each}, but {size(free())} are free", hint=hint)


def _fits(needed: Memory, beside: int) -> bool:
    if not torch.cuda.is_available():
        return needed.total * beside <= free()
    return needed.total <= free() and needed.offloaded * beside <= psutil.virtual_memory().available


def free() -> int:
    """Bytes that are free now, on the GPU where there is one."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def _smaller(recipe: CausalRecipe, processes: int, targets: int) -> Iterator[tuple[Memory, str]]:
    """What it needs with one change after the other, of those that save something, and how to write them."""
    least, made = predict(recipe, processes, targets=targets).total, dict[str, Any]()
    for change in _changes(recipe, processes):
        needed = predict(_changed(recipe, made | change), processes, targets=targets)
        if needed.total < least:
            least, made = needed.total, made | change
            yield needed, " ".join(f"{key}={recipes.plain(value)}" for key, value in made.items())


def _changed(recipe: CausalRecipe, values: Mapping[str, Any]) -> CausalRecipe:
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        part = replace(getattr(recipe, outer), **{inner: value}) if inner else value
        recipe = replace(recipe, **{outer: part})
    return recipe


def _changes(recipe: CausalRecipe, processes: int) -> Iterator[dict[str, Any]]:
    """Changes of a recipe's keys, the least harmful first."""
    if not recipe.checkpointing:
        yield {"checkpointing": True}
    batch, steps = recipe.batch, recipe.batch * recipe.accumulate
    while batch > 1:
        batch = next(each for each in range(batch // 2, 0, -1) if steps % each == 0)
        yield {"batch": batch, "accumulate": steps // batch}  # the same step in more parts
    yield from _divided(recipe.zero, processes)
    if recipe.weights is Weights.float32:
        yield {"weights": Weights.bfloat16}
    if recipe.weights is not Weights.nf4 and recipe.zero.stage != 3:
        yield {"weights": Weights.nf4}
    rank, alpha = recipe.lora.rank, recipe.lora.alpha
    for part in (2, 4, 8):
        if not recipe.adapter and rank // part >= 4:  # an earlier adapter has the rank that it has
            scaled = max(1, round(alpha * (rank // part) / rank))  # the adapter's output is scaled as before
            yield {"lora.rank": rank // part, "lora.alpha": scaled}
    yield from ({"length": recipe.length // part} for part in (2, 4, 8) if recipe.length // part >= 128)


def _divided(zero: Zero, processes: int) -> Iterator[dict[str, Any]]:
    """More of it divided by the processes, and on a GPU more of it in the processor's memory."""
    stage = max(zero.stage, 2)
    if processes > 1 and stage > zero.stage:
        yield {"zero.stage": stage}
    if torch.cuda.is_available() and zero.offload is Offload.none:
        yield {"zero.stage": stage, "zero.offload": Offload.optimizer}
    if torch.cuda.is_available() and zero.stage == 3 and zero.offload is not Offload.all:
        yield {"zero.offload": Offload.all}


def told(needed: Memory) -> str:
    """The sum and its parts, the largest first: "about 3.1 GB: weights 1.0 GB, logits 0.9 GB, …"."""
    parts = {name: count for name, count in asdict(needed).items() if name != "offloaded" and count}
    listed = sorted(parts, key=lambda name: -parts[name])
    said = f"about {size(needed.total)}: " + ", ".join(f"{name} {size(parts[name])}" for name in listed)
    return said + (f"; and {size(needed.offloaded)} of the processor's" if needed.offloaded else "")
