"""Recipes: YAML files with types. An unknown key, a missing one or a wrong type is an error that names it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mozi_engine.errors import RecipeError

Kind = TypeVar("Kind")

_SHIPPED = Path(__file__).parent / "recipes"


@dataclass
class Optim:
    """How weights are changed. AdamW; the rate rises for the share `warmup` of all steps, then falls to 0."""

    lr: float = MISSING
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0  # the largest norm of a gradient
    beta1: float = 0.9
    beta2: float = 0.999


@dataclass
class EvidenceData:
    """Files of questions and their evidence: QASPER as published, or its questions without the papers.

    What is asked about a paper in `evaluate` (as published) is never trained on.
    """

    train: list[str] = MISSING
    evaluate: list[str] = field(default_factory=list)


class Mined(Enum):
    """What ranks a paper's paragraphs to find those that are hard to tell from evidence."""

    bm25 = "bm25"
    base = "base"  # the base model, before its training
    both = "both"  # in turn


@dataclass
class RetrieverRecipe:
    """A bi-encoder trained by InfoNCE: a question, its evidence, and everything else in the batch."""

    base: str = MISSING  # a sentence-transformers model: its name on the hub, or a folder
    data: EvidenceData = field(default_factory=EvidenceData)
    optim: Optim = field(default_factory=Optim)
    epochs: int = MISSING
    batch: int = MISSING  # questions a step; each brings its evidence and its negatives
    positives: int = MISSING  # evidence paragraphs of a question that become pairs, at the most
    negatives: int = MISSING  # paragraphs of the same paper that are no evidence, a pair
    mined_by: Mined = Mined.bm25
    separate: bool = False  # one encoder for questions and another for passages, both from the base
    frozen_layers: int = 0  # of the Transformer's, from below; the word embeddings go with the first
    tokens: int = MISSING  # read of a text in training
    scale: float = 20.0  # 1 / the temperature of the softmax over cosines
    threads: int = 0  # 0: all cores
    keep: int = 2  # checkpoints
    seed: int = 0


class LossOn(Enum):
    """What of a conversation is learned: what the assistant says, or all of it."""

    answer = "answer"
    all = "all"


class Weights(Enum):
    """The precision of a base model's weights, which stay as they are; nf4 is QLoRA's 4 bits."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    nf4 = "nf4"


@dataclass
class Lora:
    """A low-rank adapter on every linear layer but the last (Hu et al., 2021)."""

    rank: int = MISSING
    alpha: int = MISSING  # the adapter's output is scaled by alpha / rank
    dropout: float = 0.0


class Offload(Enum):
    """What waits in the processor's memory rather than on the GPU, and is fetched when it is needed."""

    none = "none"
    optimizer = "optimizer"
    all = "all"  # the optimizer and the weights


@dataclass
class Zero:
    """What of a training the processes divide among themselves (ZeRO; Rajbhandari et al., 2020)."""

    stage: int = 0  # 1: the optimizer's state; 2: gradients too; 3: weights too; 0: nothing
    offload: Offload = Offload.none


@dataclass
class CausalRecipe:
    """A causal language model that is trained as a LoRA adapter on a base, whatever it learns from."""

    base: str = MISSING  # a transformers model: its folder, or its name on the hub
    adapter: str = ""  # an earlier training's run, whose adapter is trained on, on its layers; "": a new one
    lora: Lora = field(default_factory=Lora)
    optim: Optim = field(default_factory=Optim)
    weights: Weights = Weights.bfloat16
    length: int = MISSING  # tokens of a row
    batch: int = MISSING  # rows at once, on each device
    accumulate: int = 1  # batches a step
    epochs: int = MISSING
    steps: int = 0  # stop after so many; 0: when the epochs are over
    checkpointing: bool = False  # compute activations twice rather than keep them
    zero: Zero = field(default_factory=Zero)
    save_every: int = MISSING  # steps
    keep: int = 2  # checkpoints
    evaluate_every: int = 0  # steps; 0: only before and after
    best: bool = True  # what is left is the adapter of the lowest held-out loss; false: the last step's
    threads: int = 0  # 0: as torch chooses
    seed: int = 0


@dataclass
class ConversationData:
    """Files of conversations, as `mozi prepare` writes them: `sft.jsonl`."""

    train: list[str] = MISSING
    evaluate: list[str] = field(default_factory=list)


@dataclass
class SftRecipe(CausalRecipe):
    """A causal language model that learns to answer from conversations; longer ones than a row are cut."""

    data: ConversationData = field(default_factory=ConversationData)
    loss_on: LossOn = LossOn.answer
    cut: float = 0.0  # the share of conversations that may be cut, or left out because no answer remains
    packed: bool = True  # several conversations a row, each seeing itself only


@dataclass
class CorpusData:
    """A corpus of documents, as `mozi prepare arxiv` writes it with the base's own tokenizer."""

    corpus: str = MISSING  # its folder
    measured: int = 0  # tokens of its held-out part on which the loss is measured; 0: all


@dataclass
class PretrainRecipe(CausalRecipe):
    """A causal language model that learns documents; those longer than a row go on in others."""

    data: CorpusData = field(default_factory=CorpusData)


_Range = tuple[str, Callable[[float], bool]]
_FROM_ONE: _Range = ("at least 1", lambda value: value >= 1)
_FROM_ZERO: _Range = ("at least 0", lambda value: value >= 0)
_ABOVE: _Range = ("above 0", lambda value: value > 0)
_SHARE: _Range = ("from 0 to 1", lambda value: 0 <= value <= 1)
_PART: _Range = ("at least 0 and below 1", lambda value: 0 <= value < 1)  # 1 of warmup would be one step

# By the last part of a key; whatever number is not among them is at least 0.
_RANGES: dict[str, _Range] = {
    **dict.fromkeys(("accumulate", "alpha", "batch", "epochs", "keep"), _FROM_ONE),
    **dict.fromkeys(("positives", "rank", "save_every", "tokens"), _FROM_ONE),
    "length": ("at least 2", lambda value: value >= 2),  # the first token of a row is never learned
    **dict.fromkeys(("lr", "scale"), _ABOVE),
    **dict.fromkeys(("cut", "dropout"), _SHARE),
    **dict.fromkeys(("warmup", "beta1", "beta2"), _PART),
}


def plain(value: object) -> str:
    """A value as an override writes it: `checkpointing=true`, `weights=nf4`."""
    return str(value.value if isinstance(value, Enum) else value).lower()


def find(name: str) -> Path:
    """The recipe's file: a path, or the name of one that comes with mozi. Raises RecipeError."""
    shipped = {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}
    path = shipped.get(name, Path(name))
    if not path.is_file():
        raise RecipeError(f"no recipe {name!r}", hint=f"a YAML file, or one of {', '.join(shipped)}")
    return path


def written(recipe: object) -> str:
    """The whole recipe as YAML, defaults too."""
    return OmegaConf.to_yaml(OmegaConf.structured(recipe))


def load(path: Path, kind: type[Kind], overrides: Sequence[str] = ()) -> Kind:
    """The recipe in the file, changed by `key=value` overrides ("optim.lr=1e-4").

    Raises RecipeError, which names the file or the override, the key, and the key that may be meant.
    """
    try:
        recipe = OmegaConf.structured(kind)
        written = OmegaConf.load(path)
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {_line(error)}", hint="a recipe is a YAML file") from error
    for source, values in [(str(path), written), *((each, _override(each)) for each in overrides)]:
        recipe = _merged(recipe, values, source)
    if absent := sorted(OmegaConf.missing_keys(recipe)):
        raise RecipeError(f"{path}: no value for {', '.join(absent)}", hint=f"add {absent[0]} to the recipe")
    _check_ranges(recipe)
    made = OmegaConf.to_object(recipe)
    assert isinstance(made, kind)  # noqa: S101  structured's promise, for the type checker
    return made


def _override(text: str) -> Any:
    key, equals, _ = text.partition("=")
    if not equals or not key:
        raise RecipeError(f"{text!r} changes nothing", hint="write it as key=value: optim.lr=1e-4")
    try:
        return OmegaConf.from_dotlist([text])
    except (OmegaConfBaseException, YAMLError) as error:
        raise RecipeError(f"{text!r} cannot be read: {_line(error)}", hint="write it as key=value") from error


def _merged(recipe: DictConfig, values: Any, source: str) -> DictConfig:
    if not isinstance(values, DictConfig):
        raise RecipeError(f"{source}: no recipe", hint="a recipe is a YAML file of keys and values")
    unknown = next(iter(_unknown(values, recipe)), None)
    if unknown:
        known = list(_keys(recipe))
        near = difflib.get_close_matches(unknown, known, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise RecipeError(f"{source}: unknown key {unknown!r}{meant}", hint=f"known: {', '.join(known)}")
    try:
        merged = OmegaConf.merge(recipe, values)
        OmegaConf.resolve(merged)
    except OmegaConfBaseException as error:
        raise RecipeError(f"{source}: {_line(error)}", hint="see the recipes that come with mozi") from error
    assert isinstance(merged, DictConfig)  # noqa: S101  merge's promise, for the type checker
    return merged


def _unknown(values: DictConfig, recipe: DictConfig) -> Iterable[str]:
    known = set(_keys(recipe))
    return (key for key in _keys(values) if key not in known)


def _keys(config: DictConfig, prefix: str = "") -> Iterable[str]:
    """Every key, outer before inner, with dots."""
    for key in map(str, config):
        yield f"{prefix}{key}"
        inner = config._get_node(key)
        if isinstance(inner, DictConfig):
            yield from _keys(inner, f"{prefix}{key}.")


def _check_ranges(recipe: DictConfig) -> None:
    for key in _keys(recipe):
        value = OmegaConf.select(recipe, key)
        words, holds = _RANGES.get(key.rpartition(".")[2], _FROM_ZERO)
        if isinstance(value, int | float) and not (math.isfinite(value) and holds(value)):
            raise RecipeError(f"{key}={value} cannot be followed", hint=f"{key} is {words}")


def _line(error: Exception) -> str:
    return " ".join(str(error).partition("\n    full_key")[0].split())
