"""`mozi eval`: measure the way the field measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mozi_engine.datasets.qasper import QasperPaper
    from mozi_engine.evaluation.metrics import Score
    from mozi_engine.evaluation.retrieval import Found
    from mozi_engine.retrieval.dense import Encoder
    from mozi_engine.settings import Settings

app = typer.Typer(
    help="Measure retrieval and answers the way the field does.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _verbs() -> None:
    pass


@app.command(epilog="Example: mozi eval retrieval qasper-dev-v0.3.json --retriever hybrid --json")
def retrieval(
    data: Annotated[Path, typer.Argument(help="A QASPER file as published (.json or .json.gz).")],
    retriever: Annotated[list[str] | None, typer.Option(help="bm25, dense or hybrid; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="The bootstrap's.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a retriever, for programs.")] = False,
) -> None:
    """Score how well evidence is found: Evidence-F1 (the official evaluator's), recall, MRR, nDCG.

    Every paper is embedded once and cached. Intervals are 95%, by bootstrap over questions.
    """
    from statistics import median

    from mozi_engine.evaluation import retrieval as engine
    from mozi_engine.retrieval.dense import Encoder

    names = retriever or list(engine.RETRIEVERS)
    if unknown := set(names) - set(engine.RETRIEVERS):
        raise typer.BadParameter(f"{', '.join(unknown)}: one of {', '.join(engine.RETRIEVERS)}")
    papers, encoder = _papers(data), Encoder()
    for name in names:
        found = _evaluate(papers, name, encoder)
        milliseconds = median([item.milliseconds for item in found] or [0.0])
        title = f"{name}, {milliseconds:.1f} ms a question (median)"
        _show(engine.summary(found, seed), title, json)


@app.command(epilog="Example: mozi eval qasper qasper-dev-v0.3.json dev.jsonl --evidence full --limit 50")
def qasper(
    data: Annotated[Path, typer.Argument(help="A QASPER file as published (.json or .json.gz).")],
    predictions: Annotated[Path, typer.Argument(help="Where the answers are written, a line each.")],
    evidence: Annotated[str, typer.Option(help="retrieved, full (the whole paper) or gold.")] = "retrieved",
    passages: Annotated[int, typer.Option("--passages", "-k", min=1, max=20, help="How many.")] = 4,
    limit: Annotated[int, typer.Option(min=0, help="The first so many questions; 0: all.")] = 0,
    model: Annotated[str | None, typer.Option(help="Its name, or a .gguf file.")] = None,
    base_url: Annotated[str | None, typer.Option(help="A server's address, with /v1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
) -> None:
    """Answer QASPER's questions, and score the answers by the official protocol.

    Stopped, it goes on from there the next time; what is answered already is only scored again.
    """
    from mozi_engine.evaluation import qasper as engine

    if evidence not in engine.EVIDENCE:
        raise typer.BadParameter(f"{evidence}: one of {', '.join(engine.EVIDENCE)}")
    papers = _first(_papers(data), limit)
    known = engine.read(predictions)
    if any(question.id not in known for paper in papers for question in paper.questions):
        _predict(papers, predictions, evidence, passages, _settings(model, base_url))
    scores = engine.report(papers, engine.read(predictions))
    _show(scores, f"{predictions.name}, evidence {evidence}", json)


def _settings(model: str | None, base_url: str | None) -> Settings:
    from dataclasses import replace

    from mozi_engine.settings import load

    settings = load()
    if base_url:
        settings = replace(settings, engine="remote", base_url=base_url)
    return replace(settings, model=model) if model else settings


def _first(papers: Sequence[QasperPaper], limit: int) -> list[QasperPaper]:
    """The papers of the first `limit` questions, with those questions alone."""
    from dataclasses import replace

    found, left = [], limit or sum(len(paper.questions) for paper in papers)
    for paper in papers:
        if questions := paper.questions[:left]:
            found.append(replace(paper, questions=questions))
            left -= len(questions)
    return found


def _predict(
    papers: Sequence[QasperPaper], out: Path, evidence: str, passages: int, settings: Settings
) -> None:
    from mozi_cli import opening, progress
    from mozi_engine.evaluation import qasper as engine
    from mozi_engine.generation import engines
    from mozi_engine.retrieval.dense import Encoder
    from mozi_engine.types import GenerationSettings, Progress

    opening.fetch_model(settings)
    decoding = GenerationSettings(max_new_tokens=100)
    asking = engine.Asking(engines.load(settings), Encoder(), evidence, passages, decoding)
    total = sum(len(paper.questions) for paper in papers) - len(engine.read(out))

    def work() -> Iterator[Progress]:
        for number, _ in enumerate(engine.predict(papers, asking, out), start=1):
            yield Progress("answering", number, total, "questions")

    progress.show(work(), resumes=True)


def _papers(data: Path) -> list[QasperPaper]:
    from mozi_cli import console
    from mozi_engine.datasets import qasper

    papers = []
    for item in qasper.read(data):
        if isinstance(item, qasper.Skipped):
            console.note(f"skipped {item.paper} {item.question}: {item.reason}")
        else:
            papers.append(item)
    return papers


def _evaluate(papers: Sequence[QasperPaper], name: str, encoder: Encoder) -> list[Found]:
    from mozi_cli import progress
    from mozi_engine.evaluation import retrieval as engine
    from mozi_engine.types import Progress

    def work() -> Iterator[Progress | Found]:
        for number, paper in enumerate(papers, start=1):
            yield from engine.evaluate([paper], engine.builder(name, encoder))
            yield Progress(name, number, len(papers), "papers")

    return progress.show(work())


def _show(scores: Sequence[Score], title: str, as_json: bool) -> None:
    """Scores in percent with their 95% intervals, as a table; or as one JSON object."""
    if as_json:
        import json
        from dataclasses import asdict

        record = {"title": title, "scores": [asdict(score) for score in scores]}
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    from rich.table import Table

    from mozi_cli import console

    table = Table(title=title, title_justify="left")
    for column in ("", "mean", "95% interval", "questions"):
        table.add_column(column, justify="right" if column else "left")
    for score in scores:
        low, high = (f"{bound * 100:.1f}" for bound in score.interval)
        table.add_row(score.name, f"{score.value * 100:.1f}", f"{low} to {high}", str(score.questions))
    console.stdout.print(table)
