"""Train one model on the same tokens by `mozi train sft` and by TRL's SFTTrainer: speed and memory.

    pip install trl    # not among mozi's extras: only this script uses it; without it, mozi's side runs alone
    python benchmarks/train.py prepared/train/sft.jsonl --rounds 3

The model is a Llama of random weights (33 million, float32), made here from one configuration for both. Both
read the same token ids, packed to the same length, learn all of them, by the same LoRA, optimizer and batch.
Each training runs in a process of its own, and the two take turns, so that what else the machine does falls
on both. Speed is that of all steps but the first: by the clock, and by the processor's time, which a busy
machine does not lengthen. Memory is the process's largest, with all that it imported.
"""

from __future__ import annotations

import argparse
import importlib.util
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
    """What one training did: tokens read a second, by the clock and by the processor; memory; losses."""

    tokens_per_second: float
    tokens_per_cpu_second: float
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
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as it chooses")
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
    sides = SIDES if importlib.util.find_spec("trl") else SIDES[:1]
    found: dict[str, list[Trained]] = {side: [] for side in sides}
    print(f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for number in range(options.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--base", str(base)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                sys.exit(ran.stderr)
            found[side].append(Trained(**json.loads(ran.stdout.splitlines()[-1])))
            print(f"round {number + 1}, {side}: {found[side][-1]}", flush=True)
    print("\nMedians (and each round):\n")
    print("| | tokens/s | tokens a CPU second | peak memory | loss, first and last step |")
    print("|---|---|---|---|---|")
    for side, rounds in found.items():
        by_clock = medians([each.tokens_per_second for each in rounds])
        by_processor = medians([each.tokens_per_cpu_second for each in rounds])
        peak = max(each.bytes for each in rounds) / 1e9
        loss = f"{rounds[0].first:.3f}, {rounds[0].last:.3f}"
        print(f"| {side} | {by_clock} | {by_processor} | {peak:.2f} GB | {loss} |")


def medians(values: list[float]) -> str:
    """The median, and the values it is of."""
    return f"{statistics.median(values):.0f} ({', '.join(f'{value:.0f}' for value in values)})"


class Clock:
    """The time between the ends of the first step and the last."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, float]] = []

    def tick(self) -> None:
        """A step has ended."""
        self.ticks.append((time.monotonic(), time.process_time()))

    def trained(self, tokens_per_step: float, losses: list[float]) -> Trained:
        """The figures of a training whose steps read so many tokens, on average."""
        (began, began_cpu), (ended, ended_cpu) = self.ticks[0], self.ticks[-1]
        tokens = tokens_per_step * (len(self.ticks) - 1)
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        speed, cost = tokens / (ended - began), tokens / (ended_cpu - began_cpu)
        return Trained(speed, cost, largest, losses[0], losses[-1])


def by_mozi(options: argparse.Namespace) -> Trained:
    """As `mozi train sft` trains."""
    from mozi_engine.training.llm import finetune
    from mozi_engine.training.runs.step import Step

    clock, losses = Clock(), []

    def report(event: Any) -> None:
        if isinstance(event, Step):  # the memory is told of first
            clock.tick()
            losses.append(event.loss)

    with tempfile.TemporaryDirectory() as run:
        finetune.train(recipe(options), Path(run) / "run", report)
    return clock.trained(finetune.data(recipe(options)).tokens / options.steps, losses)


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
        threads=options.threads,
        seed=SEED,
    )


def by_trl(options: argparse.Namespace) -> Trained:
    """As SFTTrainer trains: on mozi's token ids, packed by TRL."""
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from mozi_engine.training.llm import finetune

    if options.threads:
        torch.set_num_threads(options.threads)
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
        clock = Clock()

        class Ticking(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock.tick()

        trainer.add_callback(Ticking())
        trainer.train()
    losses = [each["loss"] for each in trainer.state.log_history if "loss" in each]
    read = [len(row["input_ids"]) for row in trainer.train_dataset]
    return clock.trained(statistics.mean(read) * options.accumulate, losses)


if __name__ == "__main__":
    main()
