"""The scores of QASPER's official evaluator, and intervals: pure functions over values.

Source: allenai/qasper-led-baseline, scripts/evaluator.py (Dasigi et al., 2021). All scores are in [0, 1].
"""

from __future__ import annotations

import re
import statistics
import string
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over questions in [0, 1], its 95% bootstrap interval, and how many questions."""

    name: str
    value: float
    interval: tuple[float, float]
    questions: int


def score(name: str, values: Sequence[float], seed: int = 0) -> Score:
    """The mean of one value a question; 0 of no questions."""
    mean = statistics.fmean(values) if values else 0.0
    return Score(name, mean, interval(values, seed=seed), len(values))


def normalized(text: str) -> list[str]:
    """The words of an answer as SQuAD compares them: lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(prediction: str, reference: str) -> float:
    """F1 over the two texts' words, counted with their repeats."""
    predicted, wanted = normalized(prediction), normalized(reference)
    return _f1(sum((Counter(predicted) & Counter(wanted)).values()), len(predicted), len(wanted))


def paragraph_f1(predicted: Collection[str], wanted: Collection[str]) -> float:
    """F1 over paragraphs; 1 when there is no evidence and none is predicted."""
    if not predicted and not wanted:
        return 1.0
    return _f1(len({*predicted} & {*wanted}), len(predicted), len(wanted))


def _f1(common: int, predicted: int, wanted: int) -> float:
    if not common:
        return 0.0
    precision, recall = common / predicted, common / wanted
    return 2 * precision * recall / (precision + recall)


def recall_at(ranked: Sequence[str], wanted: Collection[str], k: int) -> float:
    """The share of the evidence among the first `k` paragraphs; 1 when there is no evidence."""
    return len({*ranked[:k]} & {*wanted}) / len({*wanted}) if wanted else 1.0


def reciprocal_rank(ranked: Sequence[str], wanted: Collection[str]) -> float:
    """1 / the rank of the first paragraph that is evidence; 0 when none is."""
    return next((1 / rank for rank, text in enumerate(ranked, start=1) if text in wanted), 0.0)


def ndcg(ranked: Sequence[str], wanted: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain at `k`, evidence worth 1 each (Järvelin and Kekäläinen, 2002)."""
    gains = [1 / np.log2(rank + 1) for rank in range(1, k + 1)]
    best = sum(gains[: min(k, len({*wanted}))])
    found = sum(gain for gain, text in zip(gains, ranked, strict=False) if text in wanted)
    return float(found / best) if best else 1.0


def oracle_f1(ranked: Sequence[str], wanted: Collection[str], depth: int) -> float:
    """Evidence-F1 with the cutoff that suits the question best, from none to `depth` paragraphs."""
    return max(paragraph_f1(ranked[:k], wanted) for k in range(depth + 1))


def interval(
    values: Sequence[float], statistic: Callable[[NDArray[np.float64]], float] = np.mean, seed: int = 0
) -> tuple[float, float]:
    """The 95% bootstrap interval of the statistic: percentiles of 1,000 resamples with replacement."""
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size:
        return 0.0, 0.0
    draws = np.random.default_rng(seed).integers(0, sample.size, (1000, sample.size))
    low, high = np.percentile([statistic(sample[draw]) for draw in draws], (2.5, 97.5))
    return float(low), float(high)


def paired_interval(
    first: Mapping[str, float], second: Mapping[str, float], seed: int = 0
) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean difference second - first, over the keys that both have."""
    keys = sorted(first.keys() & second.keys())
    return interval([second[key] - first[key] for key in keys], seed=seed)
