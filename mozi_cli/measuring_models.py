"""`mozi eval perplexity` and `yesno`: what a torch model finds likely, the base beside its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mozi_cli import measuring, progress, scores
from mozi_engine.errors import ModelError
from mozi_engine.evaluation import perplexity as held_out
from mozi_engine.evaluation import qasper as answers
from mozi_engine.evaluation import report
from mozi_engine.evaluation import yesno as choices
from mozi_engine.evaluation.report import Table
from mozi_engine.types import Progress

if TYPE_CHECKING:
    from mozi_engine.evaluation.language_model import LanguageModel

Measuring = Callable[[str], Iterator[Progress | Table]]  # the model's name in the report -> its table


def perplexity(
    model: str,
    data: Path,
    adapter: Path | None,
    chunk: int,
    limit: int,
    out: Path | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Score a model, and its adapter, on held-out text."""
    loaded = load(model, adapter)
    pieces = held_out.chunks(data, loaded, chunk, limit)
    tables = both(loaded, adapter, lambda name: held_out.measure(name, pieces, loaded))
    _finish(f"perplexity, {data.name}, chunks of {chunk}", tables, out, seed, as_json=as_json)


def yesno(
    model: str,
    data: Path,
    adapter: Path | None,
    shown: tuple[Path, int] | None,
    limit: int,
    out: Path | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Score a model, and its adapter, on yes/no questions, after examples of another file."""
    asked = choices.items(answers.sample(measuring.papers_of(data), 0, seed))
    asked = asked[: limit or len(asked)]
    before: list[choices.Item] = []
    if shown:
        tested = {item.paper for item in asked}
        known = [item for item in choices.items(measuring.papers_of(shown[0])) if item.paper not in tested]
        before = choices.examples(known, shown[1], seed)
    loaded = load(model, adapter)
    tables = both(loaded, adapter, lambda name: choices.measure(name, asked, before, loaded))
    _finish(f"yes/no, {data.name}, {len(before)} shots", tables, out, seed, as_json=as_json)


def load(model: str, adapter: Path | None) -> LanguageModel:
    """The torch model. Raises ModelError when it does not load, or torch is not installed."""
    try:
        from mozi_engine.evaluation.language_model import LanguageModel
    except ModuleNotFoundError as error:
        raise ModelError(f"this needs {error.name}", hint="pip install 'mozi[train]'") from error
    return LanguageModel(model, adapter)


def both(loaded: LanguageModel, adapter: Path | None, measuring: Measuring) -> list[Table]:
    """The base's table, and then the adapter's where there is one."""
    with loaded.without_adapter():
        tables = progress.show(measuring("base"))
    return tables + progress.show(measuring("adapter")) if adapter else tables


def _finish(title: str, tables: Sequence[Table], out: Path | None, seed: int, *, as_json: bool) -> None:
    measuring.finish(title, tables, out, seed, as_json=as_json)
    if len(tables) > 1 and not as_json:
        base, adapted = tables
        comparisons = report.compare([base], [adapted], seed)
        scores.show_comparison((base.name, adapted.name), comparisons, as_json=False)
