"""Pre-training a causal language model on the documents of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from transformers.utils.hub import cached_file

from mozi_engine.datasets import shards, tokenizing
from mozi_engine.datasets.shards import Corpus
from mozi_engine.errors import DataError
from mozi_engine.generation import template
from mozi_engine.training.llm import causal, documents
from mozi_engine.training.llm.causal import Trained
from mozi_engine.training.llm.progress import Report
from mozi_engine.training.llm.rows import Rows
from mozi_engine.training.recipe import PretrainRecipe


@dataclass(frozen=True, slots=True)
class Data(causal.Data):
    """And how many documents and tokens the corpus has to train on."""

    documents: int
    once: int


def data(recipe: PretrainRecipe, processes: int = 1) -> Data:
    """The recipe's data, as rows of tokens, for so many processes together. Raises DataError, ModelError.

    Each process reads the rows that are its own when it comes to them. A corpus that was made with another
    tokenizer than the base's is an error.
    """
    corpus = shards.corpus(Path(recipe.data.corpus))
    _check(corpus, recipe.base)
    begin = template.begin(template.tokenizer(recipe.base))
    train, step = corpus.split("train"), recipe.batch * recipe.accumulate * processes
    rows = documents.epochs(train, begin, recipe.length, step, recipe.epochs, recipe.steps, recipe.seed)
    held_out: Rows = ()
    if corpus.has("held_out"):
        found = corpus.split("held_out")
        held_out = documents.sample(found, begin, recipe.length, recipe.data.measured, recipe.seed)
    once = sum(len(shard.tokens) for shard in train)
    return Data(rows, held_out, rows.sizes, recipe.length, corpus.sha256, sum(map(len, train)), once)


def _check(corpus: Corpus, base: str) -> None:
    if corpus.tokenizer not in _tokenizers(base):
        raise DataError(
            f"{corpus.folder} was made with another tokenizer than that of {base}",
            hint=f"mozi prepare arxiv RAW OUT --tokenizer {base}/tokenizer.json",
        )


def _tokenizers(base: str) -> Iterator[str]:
    """The sha256 of the base's tokenizer as it is published, and as transformers reads it."""
    loaded = template.tokenizer(base)
    published = cached_file(
        base, "tokenizer.json", local_files_only=True, _raise_exceptions_for_missing_entries=False
    )
    if published:
        yield tokenizing.digest(Path(published).read_text("utf-8"), published)
    if hasattr(loaded, "backend_tokenizer"):
        yield tokenizing.digest(loaded.backend_tokenizer.to_str(), base)


def train(
    recipe: PretrainRecipe,
    run: Path,
    report: Report,
    *,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train on the recipe's corpus; see `causal.train`."""
    measured = (Path(recipe.data.corpus) / "held_out").is_dir()
    return causal.train(
        recipe, partial(data, recipe), run, report, measured=measured, resume=resume, stopped=stopped
    )
