"""The field's scores of one question or one reply: pure functions over values, all in [0, 1].

The first ones are the official QASPER evaluator's (allenai/qasper-led-baseline, scripts/evaluator.py;
Dasigi et al., 2021).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of a prediction is right, how much of what is right was said, and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def normalized(text: str) -> list[str]:
    """The words of an answer as SQuAD compares them: lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_overlap(prediction: str, reference: str) -> Overlap:
    """Over the two texts' words, counted with their repeats."""
    predicted, wanted = normalized(prediction), normalized(reference)
    return _overlap(sum((Counter(predicted) & Counter(wanted)).values()), len(predicted), len(wanted))


def token_f1(prediction: str, reference: str) -> float:
    """Answer-F1 against one reference."""
    return token_overlap(prediction, reference).f1


def paragraph_f1(predicted: Collection[str], wanted: Collection[str]) -> float:
    """F1 over paragraphs; 1 when there is no evidence and none is predicted."""
    if not predicted and not wanted:
        return 1.0
    return _overlap(len({*predicted} & {*wanted}), len(predicted), len(wanted)).f1


def _overlap(common: int, predicted: int, wanted: int) -> Overlap:
    if not common:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = common / predicted, common / wanted
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def recall_at(ranked: Sequence[str], wanted: Collection[str], k: int) -> float:
    """The share of the evidence, of which there is some, among the first `k` paragraphs."""
    return len({*ranked[:k]} & {*wanted}) / len({*wanted})


def reciprocal_rank(ranked: Sequence[str], wanted: Collection[str]) -> float:
    """1 / the rank of the first paragraph that is evidence; 0 when none is."""
    return next((1 / rank for rank, text in enumerate(ranked, start=1) if text in wanted), 0.0)


def ndcg(ranked: Sequence[str], wanted: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain at `k`, evidence worth 1 each (Järvelin and Kekäläinen, 2002).

    A paragraph that a paper prints twice counts once. There must be some evidence.
    """
    gains = [1 / np.log2(rank + 1) for rank in range(1, k + 1)]
    best = sum(gains[: len({*wanted})])
    distinct = dict.fromkeys(ranked)
    found = sum(gain for gain, text in zip(gains, distinct, strict=False) if text in wanted)
    return float(found / best)


def oracle_f1(ranked: Sequence[str], wanted: Collection[str], depth: int) -> float:
    """Evidence-F1 with the cutoff that suits the question best, from none to `depth` paragraphs."""
    return max(paragraph_f1(ranked[:k], wanted) for k in range(depth + 1))


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Different n-grams over all n-grams of the texts, each a list of words (Li et al., 2016); 0 of none."""
    grams = [tuple(words[i : i + n]) for words in texts for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
