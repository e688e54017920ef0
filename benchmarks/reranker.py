"""What a reranker would bring: SciDPR reading question and passage together, trained on the same questions.

    python benchmarks/reranker.py qasper-dev-v0.3-extractive-questions.json --on leval-dev.json train10.json \
        --base runs/scidpr/checkpoints/checkpoint-153

`--base` is a folder of SciDPR's weights, or of all-MiniLM-L6-v2's. One Transformer reads both texts, so that
each attends to the other; the score is the scaled cosine of the means of the question's token vectors and of
the passage's: a bi-encoder's, so that training does not begin from nothing (a new head on the first token had
learned nothing after 60 steps). The loss is a softmax over one paragraph of evidence and the hardest others.
After each epoch it ranks what `hybrid` puts first: alone, and as a feature of the learned weights, which
are scored by cross-validation over papers. Papers in `--on` are not trained on. Prints rows for
docs/results/retrieval.md; needs `mozi[train]`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy
from transformers import AutoTokenizer, BertModel, get_linear_schedule_with_warmup

sys.path.insert(0, str(Path(__file__).parent))
from retrieval import Idea, asked, bodies, learned, row

from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.retrieval import scoring
from mozi_engine.retrieval.dense import Encoder, searched
from mozi_engine.retrieval.scoring import Floats
from mozi_engine.training.retrieval.weights import Asked

DEPTH = 20  # passages that are read again
TOKENS = 160  # word pieces of a question and a passage
POSITIVES, NEGATIVES = 2, 5  # paragraphs: of evidence a question, and others beside each
BATCH = 8  # paragraphs of evidence a step
EPOCHS, RATE = 3, 5e-5


class Group(NamedTuple):
    """A question, a paragraph of its evidence, and the paper's other paragraphs, the hardest first."""

    paper: str
    question: str
    evidence: str
    others: tuple[str, ...]


class Reranker(nn.Module):
    """One encoder that reads question and passage as one text."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.tokenizer = AutoTokenizer.from_pretrained(base)
        self.encoder = BertModel.from_pretrained(base, add_pooling_layer=False)
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, questions: Sequence[str], passages: Sequence[str]) -> Tensor:
        """One score a pair, shape (n,)."""
        read = self.tokenizer(
            list(questions),
            list(passages),
            truncation="only_second",
            max_length=TOKENS,
            padding=True,
            return_tensors="pt",
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states = self.encoder(**read).last_hidden_state.float()
        second = read["token_type_ids"]
        first = read["attention_mask"] - second
        means = [
            (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
            for mask in (first, second)
        ]
        return self.scale * cosine_similarity(*means)


def groups(papers: Sequence[QasperPaper], encoder: Encoder) -> list[Group]:
    """What is trained on: paragraphs that no annotator chose are hard where `hybrid` ranks them high."""
    passages, ships = {paper.id: paper.passages for paper in papers}, scoring.shipped()
    found = []
    for item in asked(papers, encoder):
        ranked = np.argsort(-ships.chances(item.rows, item.cosines, item.coverage), kind="stable")
        texts = [searched(passages[item.paper_id][place]) for place in ranked]
        gold = [text for text, place in zip(texts, ranked, strict=True) if item.evidence[place]]
        others = [text for text, place in zip(texts, ranked, strict=True) if not item.evidence[place]]
        found += [
            Group(item.paper_id, item.question, text, tuple(others[:DEPTH])) for text in gold[:POSITIVES]
        ]
    return found


def train(model: Reranker, groups: Sequence[Group]) -> Iterator[int]:
    """Train, and give the number of each epoch when it ends."""
    found = list(groups)
    drawn = random.Random(0)  # noqa: S311  a sample, not a secret
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    steps = EPOCHS * -(-len(found) // BATCH)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    for epoch in range(EPOCHS):
        model.train()
        drawn.shuffle(found)
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            texts = [text for group in batch for text in (group.evidence, *_negatives(group, found, drawn))]
            questions = [group.question for group in batch for _ in range(1 + NEGATIVES)]
            scores = model(questions, texts).view(len(batch), -1)
            cross_entropy(scores, torch.zeros(len(batch), dtype=torch.long)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        yield epoch + 1


def _negatives(group: Group, found: Sequence[Group], drawn: random.Random) -> list[str]:
    """Of the same paper as far as it has them, then of others."""
    own = drawn.sample(group.others, min(NEGATIVES, len(group.others)))
    far = [other.evidence for other in found if other.paper != group.paper]
    return own + drawn.sample(far, NEGATIVES - len(own))


def reranked(
    model: Reranker, papers: Sequence[QasperPaper], items: Sequence[Asked], chances: Sequence[Floats]
) -> list[Floats]:
    """The model's scores of each question's likeliest passages; what it did not read is below them all."""
    passages = {paper.id: paper.passages for paper in papers}
    model.eval()
    found = []
    for item, likely in zip(items, chances, strict=True):
        best = np.argsort(-likely, kind="stable")[:DEPTH]
        texts = [searched(passages[item.paper_id][place]) for place in best]
        with torch.inference_mode():
            scores = model([item.question] * len(texts), texts).numpy()
        each = np.full(len(item.rows), float(scores.min()) - 1)
        each[best] = scores
        found.append(each)
    return found


def ideas(items: Sequence[Asked], scores: Sequence[Floats], name: str) -> Iterator[Idea]:
    """The reranker alone, and beside what speaks for a passage without it."""
    keys = [(item.paper_id, item.question) for item in items]
    yield Idea(f"{name}, alone", dict(zip(keys, scores, strict=True)))
    rows = [
        replace(item, rows=np.column_stack([item.rows, each, np.log(_softmax(each) + 1e-6)]))
        for item, each in zip(items, scores, strict=True)
    ]
    yield learned(f"learned weights and {name}", rows, (), range(rows[0].rows.shape[1]))


def _softmax(scores: Floats) -> Floats:
    shares: Floats = np.exp(scores - scores.max())
    return shares / shares.sum()


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--on", type=Path, nargs="+", required=True, help="papers that measure it")
    parser.add_argument("--base", required=True, help="the folder of an encoder's weights")
    given = parser.parse_args()
    torch.manual_seed(0)
    papers, encoder = bodies(given.on), Encoder()
    items, known = asked(papers, encoder), {paper.id for paper in papers}
    before = learned("learned weights", items, (), range(len(scoring.NAMES)))
    print(row(papers, before, 0), flush=True)
    others = [paper for paper in bodies([given.questions]) if paper.id not in known and paper.passages]
    model, began = Reranker(given.base), time.monotonic()
    for epoch in train(model, groups(others, encoder)):
        scores = reranked(model, papers, items, list(before.scores.values()))
        for idea in ideas(items, scores, f"a reranker, epoch {epoch}"):
            print(row(papers, idea, time.monotonic() - began), flush=True)


if __name__ == "__main__":
    main()
