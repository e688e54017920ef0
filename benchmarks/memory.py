"""How near the memory that a recipe is predicted to need is to what its training takes.

    python benchmarks/memory.py
    python benchmarks/memory.py --base gemma3-270m --base qwen2.5-coder-1.5b

Trains models, two steps each in a process of its own, on full rows, in float32, bfloat16 and nf4, with
activation checkpointing and without: bases that lie in folders, or models of random weights, 20 to 110
million parameters, with small and large vocabularies. Prints a Markdown table. Some minutes of one core, and
2 GB of memory for the random ones.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from chat import machine
from safetensors import safe_open

from mozi_engine.training.recipe import (
    ConversationData,
    Lora,
    Optim,
    SftRecipe,
    Weights,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A model's shape, its vocabulary, and a batch."""

    hidden: int
    layers: int
    vocabulary: int
    rows: int
    tokens: int


CASES = (
    Case(hidden=384, layers=8, vocabulary=8_000, rows=2, tokens=256),
    Case(hidden=256, layers=6, vocabulary=150_000, rows=1, tokens=256),
    Case(hidden=768, layers=12, vocabulary=32_000, rows=1, tokens=256),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this random model")
    parser.add_argument("--base", type=Path, action="append", default=[], help="a model's folder instead")
    parser.add_argument("--tokens", type=int, default=512, help="of a row, one a batch, for a base")
    parser.add_argument("--weights", choices=[each.value for each in Weights], help="only these")
    options = parser.parse_args()
    import mozi_engine.training.llm.finetune  # noqa: F401  once, before the forks

    print(f"{machine()}\n")
    heads = ("model", "parameters", "batch", "weights", "checkpointing", "predicted", "measured", "error")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    precisions = list(Weights) if options.weights is None else [Weights(options.weights)]
    for base in options.base:
        with tempfile.TemporaryDirectory() as folder:
            rows(base.name, recipe_for(base, Path(folder), 1, options.tokens), precisions, Path(folder))
    for case in () if options.base else CASES if options.case is None else [CASES[options.case]]:
        with tempfile.TemporaryDirectory() as folder:
            base = random_base(case, Path(folder))
            name = f"random, {case.vocabulary} tokens known"
            rows(name, recipe_for(base, Path(folder), case.rows, case.tokens), precisions, Path(folder))


def rows(name: str, recipe: SftRecipe, precisions: Sequence[Weights], folder: Path) -> None:
    """Print a row for each precision, with checkpointing and without."""
    for weights in precisions:
        for checkpointing in (False, True):
            chosen = replace(recipe, weights=weights, checkpointing=checkpointing)
            predicted, measured = trained(chosen, folder)
            cells = (
                name,
                f"{parameters(Path(recipe.base)) / 1e6:.0f} M",
                f"{recipe.batch} x {recipe.length}",
                weights.value,
                "yes" if checkpointing else "no",
                f"{predicted / 1e6:.0f} MB",
                f"{measured / 1e6:.0f} MB",
                f"{predicted / measured - 1:+.1%}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


def parameters(base: Path) -> int:
    """How many numbers the folder's weights are."""
    with safe_open(base / "model.safetensors", "np") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118  no mapping


def random_base(case: Case, folder: Path) -> Path:
    """The case's model, made in the folder."""
    from tests import tiny_llama

    return tiny_llama.build(
        folder / "base",
        vocab_size=case.vocabulary,
        hidden_size=case.hidden,
        intermediate_size=case.hidden * 11 // 4,
        num_hidden_layers=case.layers,
        num_attention_heads=case.hidden // 64,
        num_key_value_heads=case.hidden // 128,
        max_position_embeddings=2048,
    )


def recipe_for(base: Path, folder: Path, batch: int, tokens: int) -> SftRecipe:
    """Two steps of full rows for the base, on a text that is made in the folder."""
    said = [{"role": "user", "content": "word " * 20}, {"role": "assistant", "content": "word " * 4 * tokens}]
    lines = [json.dumps({"messages": said})] * 8
    (folder / "sft.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return SftRecipe(
        base=str(base),
        data=ConversationData([str(folder / "sft.jsonl")]),
        lora=Lora(rank=16, alpha=16, dropout=0.05),
        optim=Optim(lr=1e-4),
        length=tokens,
        cut=1.0,
        batch=batch,
        epochs=1,
        steps=2,
        save_every=100,
        threads=1,
    )


def trained(recipe: SftRecipe, folder: Path) -> tuple[int, int]:
    """The bytes that were predicted, and those that were taken at the most."""
    run = folder / f"{recipe.weights.value}-{recipe.checkpointing}"
    # A fork has what is imported already, and a peak of its own.
    process = multiprocessing.get_context("fork").Process(target=_train, args=(recipe, run))
    process.start()
    process.join()
    told = json.loads((run / "memory.json").read_text("utf-8"))
    print(told, file=sys.stderr, flush=True)
    return told["predicted"]["total"], told["measured"]


def _train(recipe: SftRecipe, run: Path) -> None:
    from mozi_engine.training.llm import finetune

    finetune.train(recipe, run, lambda _: None)


if __name__ == "__main__":
    main()
