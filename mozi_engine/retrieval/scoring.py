"""What speaks for a passage, as numbers: words shared, meaning, where it stands; and their weights.

The weights are a logistic regression's (`weights.toml`, made by `benchmarks/retrieval.py`), so that the score
of a passage is the chance that an annotator of QASPER would call it evidence.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from mozi_engine.types import Passage

Floats = NDArray[np.float64]

# What a section's title says of its place in a paper: the first that matches, "other" where none does.
# The abstract is "other" too: there was none to learn a weight from.
_SECTIONS = {
    "opening": r"introduct|引言|绪论",
    "related": r"related|background|previous|prior|literature|相关",
    "data": r"data|corpus|corpora|annotat|collect|数据|语料",
    "results": r"result|evaluat|analys|discuss|finding|ablation|comparison|结果|分析|讨论",
    "experiments": r"experiment|setup|setting|implement|training|baseline|hyper|实验",
    "closing": r"conclu|future|acknowledg|appendi|limitation|ethic|结论|致谢|附录",
    "method": r"method|model|approach|architect|system|framework|network|algorithm|方法|模型",
}
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _SECTIONS.items()}
NAMES = (
    "words",
    "words, spread",
    "words, 1/rank",
    "cosine",
    "cosine, spread",
    "cosine, 1/rank",
    "length",
    "place",
    *(f"section {name}" for name in _SECTIONS),
)
SIGNS = ("first chance", "best cosine", "best coverage", "mean coverage")


def features(passages: Sequence[Passage], words: Floats, cosines: Floats) -> Floats:
    """One row a passage, one column for each of NAMES; `words` are BM25's scores, both in passage order.

    Scores are told three ways: as they are (BM25's as a share of the best), in standard deviations from the
    paper's mean, and by rank. Length is ln(1 + words / 100); place runs from 0, the first passage, to 1.
    """
    if not passages:
        return np.zeros((0, len(NAMES)))
    best = float(words.max()) or 1.0
    lengths = np.log1p(np.array([len(passage.text.split()) for passage in passages]) / 100)
    places = np.arange(len(passages)) / max(1, len(passages) - 1)
    sections = [section(passage.section) for passage in passages]
    kinds = [np.array([name == each for each in sections], float) for name in _SECTIONS]
    columns = [words / best, _spread(words), _by_rank(words), cosines, _spread(cosines), _by_rank(cosines)]
    return np.stack([*columns, lengths, places, *kinds], axis=1)


def section(title: str) -> str:
    """Which part of a paper the title names; "other" when it does not say."""
    return next((name for name, pattern in _PATTERNS.items() if pattern.search(title)), "other")


def _spread(scores: Floats) -> Floats:
    spread: Floats = (scores - scores.mean()) / (scores.std() + 1e-9)
    return spread


def _by_rank(scores: Floats) -> Floats:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return 1 / ranks


def signs(chances: Floats, cosines: Floats, coverage: Floats) -> Floats:
    """What speaks for the paper answering the question at all: one number for each of SIGNS.

    From the passages' chances of being evidence, their cosines, and the share of the question's terms that
    each has; there is at least one passage.
    """
    first = float(np.clip(chances.max(), 1e-6, 1 - 1e-6))
    return np.array([np.log(first / (1 - first)), cosines.max(), coverage.max(), coverage.mean()])


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic regression: its bias, and a weight a column."""

    bias: float
    weights: Floats

    def chances(self, rows: Floats) -> Floats:
        """The chance of each row, in [0, 1]; of one row, a number."""
        chances: Floats = 1 / (1 + np.exp(-(rows @ self.weights + self.bias)))
        return chances


@dataclass(frozen=True, slots=True)
class Model:
    """Two regressions: whether the paper answers, and if it does, which passages are the evidence."""

    answerable: Weights
    evidence: Weights

    def chances(self, rows: Floats, cosines: Floats, coverage: Floats) -> Floats:
        """Each passage's chance of being evidence, the chance that there is any being a factor of it."""
        if not len(rows):
            return np.zeros(0)
        given = self.evidence.chances(rows)
        chances: Floats = given * self.answerable.chances(signs(given, cosines, coverage))
        return chances


@cache
def shipped() -> Model:
    """The weights that come with mozi."""
    table = tomllib.loads(files("mozi_engine.retrieval").joinpath("weights.toml").read_text("utf-8"))

    def read(name: str, columns: Sequence[str]) -> Weights:
        weights = table[name]["weights"]
        return Weights(table[name]["bias"], np.array([weights[column] for column in columns]))

    return Model(read("answerable", SIGNS), read("evidence", NAMES))
