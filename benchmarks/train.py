"""Train one model on the same tokens by `mozi train sft` and by TRL's SFTTrainer: speed and memory.

    pip install trl    # not among mozi's extras: only this script uses it
    python benchmarks/train.py prepared/train/sft.jsonl --rounds 3

The model is a Llama of random weights (33 million, float32), made here from one configuration for both. Both
read the same token ids, packed to the same length, learn all of them, by the same LoRA, optimizer and batch.
Each training runs in a process of its own, and the two take turns, so that what else the machine does falls
on both. Loading is not counted in the speed; memory is the process's largest, with all that it imported.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from encoder import processor

SIDES = ("mozi", "trl")
SHAPE = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "max_position_embeddings": 2048,
}
RANK, ALPHA, RATE, SEED = 16, 16, 2e-4, 0
END = "</s>"


@dataclass(frozen=True)
class Trained:
    """What one training did: tokens read a second, the largest memory in bytes, the first and last loss."""

    tokens_per_second: float
    bytes: int
    first: float
    last: float


def main() -> None:
    """Run both sides in turns, and print a table; as one side, train and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="sft.jsonl, as mozi prepare writes it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--base", type=Path)
    options = parser.parse_args()
    if options.side:
        side: Callable[[Any], Trained] = {"mozi": by_mozi, "trl": by_trl}[options.side]
        print(json.dumps(asdict(side(options))))
        return
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), options.data)
        compare(options, Path(folder))


def build(folder: Path, data: Path) -> None:
    """A tokenizer of 8,000 pieces trained on the data, and the model."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8000, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(data.read_text("utf-8").splitlines(), trainer)
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END).save_pretrained(folder)
    torch.manual_seed(SEED)
    config = LlamaConfig(vocab_size=made.get_vocab_size(), eos_token_id=0, bos_token_id=None, **SHAPE)
    LlamaForCausalLM(config).save_pretrained(folder)


def compare(options: argparse.Namespace, base: Path) -> None:
    """The rounds, and the table."""
    found: dict[str, list[Trained]] = {side: [] for side in SIDES}
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for number in range(options.rounds):
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--base", str(base)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                sys.exit(ran.stderr)
            found[side].append(Trained(**json.loads(ran.stdout.splitlines()[-1])))
            print(f"round {number + 1}, {side}: {found[side][-1]}", flush=True)
    print(
        "\n| | tokens/s, median (each round) | peak memory | loss, first and last step |\n|---|---|---|---|"
    )
    for side, rounds in found.items():
        speeds = [each.tokens_per_second for each in rounds]
        each = ", ".join(f"{speed:.0f}" for speed in speeds)
        peak = max(each.bytes for each in rounds) / 1e9
        loss = f"{rounds[0].first:.3f}, {rounds[0].last:.3f}"
        print(f"| {side} | {statistics.median(speeds):.0f} ({each}) | {peak:.2f} GB | {loss} |")


def by_mozi(options: argparse.Namespace) -> Trained:
    """As `mozi train sft` trains."""
    from mozi_engine.training import finetune

    steps: list[Any] = []
    with tempfile.TemporaryDirectory() as run:
        finetune.train(recipe(options), Path(run) / "run", steps.append)
    last = steps[-1]
    return Trained(last.tokens_per_second, peak(), steps[0].loss, last.loss)


def recipe(options: argparse.Namespace) -> Any:
    """What is trained, for both."""
    from mozi_engine.training.recipe import ConversationData, Lora, LossOn, Optim, SftRecipe, Weights

    return SftRecipe(
        base=str(options.base),
        data=ConversationData([str(options.data)]),
        lora=Lora(RANK, ALPHA),
        optim=Optim(RATE, warmup=0.0),
        weights=Weights.float32,
        loss_on=LossOn.all,
        length=options.length,
        cut=1.0,
        batch=1,
        accumulate=options.accumulate,
        epochs=1,
        steps=options.steps,
        checkpointing=options.checkpointing,
        save_every=10**6,
        seed=SEED,
    )


def by_trl(options: argparse.Namespace) -> Trained:
    """As SFTTrainer trains: on mozi's token ids, packed by TRL."""
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from mozi_engine.training import finetune

    # The examples of mozi's own rows: as many tokens, and the same.
    rows = finetune.data(recipe(options)).train
    ids = [list(example.ids) for row in rows for example in row]
    model = AutoModelForCausalLM.from_pretrained(str(options.base), dtype=torch.float32)
    with tempfile.TemporaryDirectory() as run:
        trainer = SFTTrainer(
            model=model,
            train_dataset=datasets.Dataset.from_dict({"input_ids": ids}),
            peft_config=LoraConfig(
                r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            args=SFTConfig(
                output_dir=run,
                max_length=options.length,
                packing=True,
                per_device_train_batch_size=1,
                gradient_accumulation_steps=options.accumulate,
                max_steps=options.steps,
                learning_rate=RATE,
                weight_decay=0.01,
                lr_scheduler_type="linear",
                bf16=False,
                gradient_checkpointing=options.checkpointing,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                dataloader_pin_memory=False,
                seed=SEED,
            ),
        )
        watch = watching()
        trainer.add_callback(watch)
        trainer.train()
    losses = [each["loss"] for each in trainer.state.log_history if "loss" in each]
    read = sum(len(row["input_ids"]) for row in trainer.train_dataset)
    share = min(1.0, options.steps * options.accumulate / len(trainer.train_dataset))
    return Trained(read * share / watch.seconds, peak(), losses[0], losses[-1])


def watching() -> Any:
    """A clock of the steps, as mozi's: from the first step's beginning to the last one's end."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        seconds = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.seconds = time.monotonic() - self.began

    return Watch()


def peak() -> int:
    """The process's largest resident memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
