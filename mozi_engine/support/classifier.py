"""A logistic classifier a language, over words, concepts and, in English, meaning: for unforeseen risk.

Concepts (`concepts.toml`) say what a word is about, so that what is learnt of one kind of pill holds of
another. An encoder, which reads English, tells what is meant in words that were not learnt. It is
trained by `benchmarks/crisis_encoder.py`, the weights (`classifier.tsv`) by `benchmarks/crisis.py train`.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files

_TOKEN = re.compile(r"[a-z']+|[\u4e00-\u9fff]|\d+|[?!]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
CONCEPT, PAIR, WORDS = range(3)
# What a feature of each kind weighs against the others; those of a kind share it where they are many.
_SCALES = (0.3, 0.6, 2.0)
_WIDTH = 384
MEANING = tuple(f"(meaning {place})" for place in range(_WIDTH))


@dataclass(frozen=True, slots=True)
class _Model:
    bias: float
    threshold: float
    weights: Mapping[str, float]


def probability(text: str) -> float:
    """The calibrated probability in [0, 1] of risk; the text is as the rules read it."""
    model = _models()[language(text)]
    score = model.bias + sum(model.weights[name] * x for name, x in values(text, model.weights).items())
    return 1 / (1 + math.exp(-score))


def alarms(text: str) -> bool:
    """Whether the probability is above the threshold chosen for its language."""
    return probability(text) > _models()[language(text)].threshold


def language(text: str) -> str:
    """Whether it is read as Chinese, "zh", or as English, "en"."""
    return "zh" if _HAN.search(text) else "en"


def values(text: str, known: Mapping[str, object]) -> dict[str, float]:
    """The text's features that are `known`, by name; meaning is one of English alone."""
    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in features(text):
        if name in known:
            groups[_kind(name)].append(name)
    found: dict[str, float] = {}
    for scale, names, kind in zip(_SCALES, groups, (CONCEPT, PAIR, WORDS), strict=True):
        shared = 1.0 if kind == CONCEPT else math.sqrt(max(len(names), 1))
        found |= dict.fromkeys(names, scale / shared)
    if MEANING[0] in known:
        from mozi_engine.support import meaning  # loads the encoder's runtime

        found |= dict(zip(MEANING, meaning.vector(text), strict=True))
    return found


def features(text: str) -> set[str]:
    """Concepts as <death>, pairs as <death+wish>, and runs of one or two words (Chinese: to three)."""
    concepts = concepts_of(text)
    pairs = (f"<{a}+{b}>" for a, b in itertools.combinations(concepts, 2))
    return {*(f"<{name}>" for name in concepts), *pairs, *_runs(text)}


def concepts_of(text: str) -> list[str]:
    """The names of the concepts in the text, sorted."""
    return [name for name, pattern in _concepts().items() if pattern.search(text)]


def _kind(name: str) -> int:
    if not name.startswith("<"):
        return WORDS
    return PAIR if "+" in name else CONCEPT


def _runs(text: str) -> Iterator[str]:
    tokens = ["^", *_TOKEN.findall(text), "$"]
    for length in (1, 2, 3):
        for start in range(len(tokens) - length + 1):
            run = tokens[start : start + length]
            if _HAN.search("".join(run)):
                yield "".join(run)
            elif length < 3:
                yield " ".join(run)


@cache
def _concepts() -> Mapping[str, re.Pattern[str]]:
    table = tomllib.loads(_file("concepts.toml"))
    return {name: re.compile(table[name]) for name in sorted(table)}


@cache
def _models() -> Mapping[str, _Model]:
    tables: dict[str, dict[str, float]] = {"en": {}, "zh": {}}
    for line in _file("classifier.tsv").splitlines():
        if not line.startswith("#"):
            lang, name, weight = line.split("\t")
            tables[lang][name] = float(weight)
    return {
        lang: _Model(table.pop("(bias)"), table.pop("(threshold)"), table) for lang, table in tables.items()
    }


def _file(name: str) -> str:
    return package_files("mozi_engine.support").joinpath(name).read_text("utf-8")
