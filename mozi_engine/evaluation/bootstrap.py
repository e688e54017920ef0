"""Intervals by bootstrap: how far a figure would move with other papers, other questions.

A figure is made of the sum of rows, one an item: (value, 1) for a mean, so that what is resampled are sums.
Items that are alike (the questions of a paper) are drawn together, as clusters (Field and Welsh, 2007);
drawn one by one, the interval would be too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Literal["ratio", "f1", "perplexity"]
RESAMPLES = 2000
PAIRED_RESAMPLES = 10_000  # a p-value under 0.001 can be told


@dataclass(frozen=True, slots=True)
class Measure:
    """What was measured: a row of numbers an item, and how their sum becomes the figure.

    "ratio" is the first number over the second (a mean: value and 1; precision: right and said); "f1" is
    of right, said and true; "perplexity" is of nats and tokens. All but perplexities and other figures
    whose `unit` is "number" are shares in [0, 1].
    """

    name: str
    rows: Mapping[str, tuple[float, ...]]  # by item
    statistic: Statistic = "ratio"
    unit: Literal["share", "number"] = "share"


@dataclass(frozen=True, slots=True)
class Score:
    """A figure, its 95% interval (None where there can be none), and of how many items it is."""

    name: str
    value: float
    interval: tuple[float, float] | None
    n: int
    unit: Literal["share", "number"] = "share"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two figures over the same items, second - first with its 95% interval, and a two-sided p-value."""

    name: str
    first: float
    second: float
    interval: tuple[float, float]
    p: float
    n: int
    unit: Literal["share", "number"] = "share"


def mean(name: str, values: Mapping[str, float], unit: Literal["share", "number"] = "share") -> Measure:
    """The mean of one value an item."""
    return Measure(name, {item: (value, 1.0) for item, value in values.items()}, unit=unit)


def score(measure: Measure, clusters: Mapping[str, str], seed: int = 0) -> Score:
    """The figure and its interval: percentiles of 2,000 resamples of clusters; 0 of no items.

    An item that `clusters` does not name is a cluster of its own.
    """
    if not measure.rows:
        return Score(measure.name, 0.0, (0.0, 0.0), 0, measure.unit)
    totals = _totals(measure, sorted(measure.rows), clusters)
    drawn = figures(_draws(len(totals), RESAMPLES, seed) @ totals, measure.statistic)
    value = figures(totals.sum(axis=0), measure.statistic)
    return Score(measure.name, float(value), _middle(drawn), len(measure.rows), measure.unit)


def difference(first: Measure, second: Measure, clusters: Mapping[str, str], seed: int = 0) -> Difference:
    """The paired bootstrap of second - first over the items that both have: both are resampled alike.

    p is twice the smaller share of resamples on either side of no difference (Efron and Tibshirani, 1993).
    """
    items = sorted(first.rows.keys() & second.rows.keys())
    if not items:
        return Difference(first.name, 0.0, 0.0, (0.0, 0.0), 1.0, 0, first.unit)
    totals = [_totals(measure, items, clusters) for measure in (first, second)]
    draws = _draws(len(totals[0]), PAIRED_RESAMPLES, seed)
    one, other = (figures(draws @ total, first.statistic) for total in totals)
    before, after = (float(figures(total.sum(axis=0), first.statistic)) for total in totals)
    sides = min((other <= one).sum(), (other >= one).sum())
    p = min(1.0, 2 * (int(sides) + 1) / (PAIRED_RESAMPLES + 1))
    return Difference(first.name, before, after, _middle(other - one), p, len(items), first.unit)


def figures(sums: Floats, statistic: Statistic) -> Floats:
    """The figure of each sum of rows: shape (..., m) -> (...). What is divided by nothing is 0."""
    if statistic == "f1":
        over, under = 2 * sums[..., 0], sums[..., 1] + sums[..., 2]
    else:
        over, under = sums[..., 0], sums[..., 1]
    ratio = np.divide(over, under, out=np.zeros_like(over), where=under != 0)
    return np.exp(ratio) if statistic == "perplexity" else ratio


def _totals(measure: Measure, items: Sequence[str], clusters: Mapping[str, str]) -> Floats:
    """The sum of each cluster's rows, shape (clusters, m)."""
    rows = np.array([measure.rows[item] for item in items], np.float64)
    names, places = np.unique([clusters.get(item, item) for item in items], return_inverse=True)
    totals = np.zeros((len(names), rows.shape[1]))
    np.add.at(totals, places, rows)
    return totals


@lru_cache(maxsize=4)
def _draws(clusters: int, resamples: int, seed: int) -> Floats:
    """How often each cluster is in each resample, shape (resamples, clusters)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(np.float64)


def _middle(drawn: Floats) -> tuple[float, float]:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)
