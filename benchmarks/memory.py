"""How near the memory that a recipe is predicted to need is to what its training takes.

    python benchmarks/memory.py

Trains models of random weights, two steps each in a process of its own, on full rows: 20 to 110 million
parameters, small and large vocabularies, float32, bfloat16 and nf4, with activation checkpointing and
without. Prints a Markdown table. Some minutes of one core; up to 2 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import tempfile
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
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this one")
    parser.add_argument("--weights", choices=[each.value for each in Weights], help="only these")
    options = parser.parse_args()
    import mozi_engine.training.llm.finetune  # noqa: F401  once, before the forks

    print(f"{machine()}\n")
    heads = (
        "parameters",
        "vocabulary",
        "batch",
        "weights",
        "checkpointing",
        "predicted",
        "measured",
        "error",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for case in CASES if options.case is None else [CASES[options.case]]:
        with tempfile.TemporaryDirectory() as folder:
            recipe, millions = prepared(case, Path(folder))
            for weights in Weights if options.weights is None else [Weights(options.weights)]:
                for checkpointing in (False, True):
                    predicted, measured = trained(
                        replace(recipe, weights=weights, checkpointing=checkpointing), Path(folder)
                    )
                    shape = f"{millions:.0f} M | {case.vocabulary} | {case.rows} x {case.tokens}"
                    settings = f"{weights.value} | {'yes' if checkpointing else 'no'}"
                    bytes_ = f"{predicted / 1e6:.0f} MB | {measured / 1e6:.0f} MB"
                    error = predicted / measured - 1
                    print(f"| {shape} | {settings} | {bytes_} | {error:+.1%} |", flush=True)


def prepared(case: Case, folder: Path) -> tuple[SftRecipe, float]:
    """A recipe for the case's model, which is made in the folder, and its parameters in millions."""
    from tests import tiny_llama

    base = tiny_llama.build(
        folder / "base",
        vocab_size=case.vocabulary,
        hidden_size=case.hidden,
        intermediate_size=case.hidden * 11 // 4,
        num_hidden_layers=case.layers,
        num_attention_heads=case.hidden // 64,
        num_key_value_heads=case.hidden // 128,
        max_position_embeddings=2048,
    )
    with safe_open(base / "model.safetensors", "np") as weights:
        parameters = sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118  no mapping
    said = [{"role": "user", "content": "word " * 20}, {"role": "assistant", "content": "word " * 2000}]
    lines = [json.dumps({"messages": said})] * 8
    (folder / "sft.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    recipe = SftRecipe(
        base=str(base),
        data=ConversationData([str(folder / "sft.jsonl")]),
        lora=Lora(rank=16, alpha=16, dropout=0.05),
        optim=Optim(lr=1e-4),
        length=case.tokens,
        cut=1.0,
        batch=case.rows,
        epochs=1,
        steps=2,
        save_every=100,
        threads=1,
    )
    return recipe, parameters / 1e6


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
