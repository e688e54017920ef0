"""What `mozi eval` does: read the data, let the engine measure, write the report and show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import typer

from mozi_cli import console, opening, progress, scores
from mozi_engine import files
from mozi_engine.datasets import qasper as dataset
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.errors import DataError, ModelError
from mozi_engine.evaluation import official, report, runs
from mozi_engine.evaluation import qasper as answers
from mozi_engine.evaluation import retrieval as search
from mozi_engine.evaluation.report import Table
from mozi_engine.evaluation.retrieval import Found
from mozi_engine.generation import engines
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Progress

if TYPE_CHECKING:
    from mozi_engine.evaluation.similarity import BertScore

_LONGEST = 100  # tokens of an answer: QASPER's are phrases and sentences


@dataclass(frozen=True, slots=True)
class Answering:
    """How QASPER's questions are answered."""

    evidence: str
    retriever: str
    passages: int
    limit: int
    seed: int
    workers: int


def retrieval(
    data: Path,
    names: Sequence[str],
    out: Path | None,
    limit: int,
    seed: int,
    workers: int,
    *,
    as_json: bool,
) -> None:
    """Score retrievers, and show a table for each."""
    encoders = {name: search.encoder_of(name, workers) for name in names or search.RETRIEVERS}
    papers = answers.sample(papers_of(data), limit, seed)
    found: dict[str, list[Found]] = {name: [] for name in encoders}
    for name, item in progress.show(search.evaluate(papers, encoders), resumes=True):
        found[name].append(item)
    clusters = official.clusters(papers)
    took = {name: search.milliseconds(papers, name, encoder) for name, encoder in encoders.items()}
    tables = [search.table(name, found[name], clusters, took[name]) for name in encoders]
    finish(f"retrieval, {data.name}", tables, out, seed, as_json=as_json)


def qasper(
    data: Path, out: Path, run: Answering, settings: Settings | None, bert_score: str | None, *, as_json: bool
) -> None:
    """Answer what is not answered yet, where there are settings to do it by; score, and show the tables."""
    papers = answers.sample(papers_of(data), run.limit, run.seed)
    if settings:
        _answer(data, papers, out, run, settings)
    tables = _tables(papers, out / "predictions.jsonl", bert_score)
    finish(f"{data.name}, {out.name}", tables, out / "report.json", run.seed, as_json=as_json)
    if not as_json:
        _show_time(out)


def _answer(data: Path, papers: Sequence[QasperPaper], out: Path, run: Answering, settings: Settings) -> None:
    if run.workers > 1 and settings.engine != "remote":
        raise typer.BadParameter("--workers needs a server: --base-url")
    encoder = search.encoder_of(run.retriever)
    asked = runs.Run(files.sha256(data), who(settings), run.evidence, run.retriever, run.passages, run.seed)
    runs.begin(out, asked)
    known = answers.read(out)
    left = sum(question.id not in known for paper in papers for question in paper.questions)
    if not left:
        return
    opening.fetch_model(settings)
    model, decoding = engines.load(settings), GenerationSettings(max_new_tokens=_LONGEST, seed=run.seed)
    build = search.builder(run.retriever, encoder)
    asking = answers.Asking(model, build, Encoder(), run.evidence, run.passages, decoding)

    def work() -> Iterator[Progress]:
        predictions = answers.predict(papers, asking, out, run.workers)
        for number, _ in enumerate(predictions, start=1):
            yield Progress("answering", number, left, "questions")

    progress.show(work(), resumes=True)


def who(settings: Settings) -> str:
    """Which model answers, as a run's folder remembers it."""
    if not settings.adapter or settings.engine == "remote":
        return settings.model
    own = settings.engine == "torch" and settings.model == Settings().model  # the adapter tells its base
    return settings.adapter if own else f"{settings.model} with {settings.adapter}"


def _tables(papers: Sequence[QasperPaper], path: Path, bert_score: str | None) -> list[Table]:
    if not path.exists():
        raise DataError(f"{path} is not there", hint="without --score-only it is made")
    predictions = answers.read_predictions(path)
    tables = [official.official(papers, predictions)]
    try:
        from mozi_engine.evaluation.mozi_report import mozi_report
    except ModuleNotFoundError as error:
        console.note(f"the Mozi report's protocol needs {error.name}: pip install 'mozi[eval]'")
    else:
        tables.append(mozi_report(papers, predictions, _bert_score(bert_score)))
    return [*tables, official.answerability(papers, predictions)]


def _bert_score(model: str | None) -> BertScore | None:
    if model is None:
        return None
    try:
        from mozi_engine.evaluation.similarity import BertScore
    except ModuleNotFoundError as error:
        hint = "pip install 'mozi[bertscore]', or leave --bert-score out"
        raise ModelError(f"BERTScore needs {error.name}", hint=hint) from error
    return BertScore(model)


def _show_time(out: Path) -> None:
    if took := answers.timings(out):
        first = median(item.ttft_ms for item in took) / 1000
        whole = median(item.total_ms for item in took) / 1000
        read = median(item.prompt_tokens for item in took)
        console.note(
            f"first word after {first:.1f} s, answer after {whole:.1f} s, {read:.0f} prompt tokens (medians)"
        )


def compare(first: Path, second: Path, data: Path | None, seed: int, *, as_json: bool) -> None:
    """Show two reports side by side."""
    papers = papers_of(data) if data else []
    one, other = _report(first, papers), _report(second, papers)
    names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    scores.show_comparison(names, report.compare(one, other, seed), as_json=as_json)


def _report(path: Path, papers: Sequence[QasperPaper]) -> list[Table]:
    """The tables of a run's folder, a report, or predictions that are scored for it."""
    if path.suffix != ".jsonl":
        return report.read(path / "report.json" if path.is_dir() else path)
    if not papers:
        raise DataError(f"{path} is not scored yet", hint="--data names the QASPER file")
    return _tables(papers, path, None)


def finish(title: str, tables: Sequence[Table], out: Path | None, seed: int, *, as_json: bool) -> None:
    """Write the report where it is wanted, and show the tables."""
    if out:
        report.write(out, title, tables, seed)
    scores.show(title, tables, seed, as_json=as_json)


def papers_of(data: Path) -> list[QasperPaper]:
    """The papers of a QASPER file; broken records are named."""
    papers = []
    for item in dataset.read(data):
        if isinstance(item, QasperPaper):
            papers.append(item)
        else:
            console.note(f"skipped {item}")
    return papers
