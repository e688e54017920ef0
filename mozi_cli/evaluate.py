"""`mozi eval`: measure the way the field measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mozi_engine.datasets.qasper import QasperPaper
    from mozi_engine.evaluation.retrieval import Found, Mean
    from mozi_engine.retrieval.dense import Encoder

app = typer.Typer(
    help="Measure retrieval the way the field measures it.", no_args_is_help=True, rich_markup_mode=None
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
    from mozi_engine.evaluation import retrieval as engine
    from mozi_engine.retrieval.dense import Encoder

    names = retriever or list(engine.RETRIEVERS)
    if unknown := set(names) - set(engine.RETRIEVERS):
        raise typer.BadParameter(f"{', '.join(unknown)}: one of {', '.join(engine.RETRIEVERS)}")
    papers, encoder = _papers(data), Encoder()
    for name in names:
        found = _evaluate(papers, name, encoder)
        show = _print_json if json else _print_table
        show(name, found, engine.summary(found, seed))


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


def _print_json(name: str, found: Sequence[Found], means: Sequence[Mean]) -> None:
    import json
    from dataclasses import asdict

    record = {"retriever": name, "questions": len(found), "means": [asdict(mean) for mean in means]}
    typer.echo(json.dumps(record, ensure_ascii=False))


def _print_table(name: str, found: Sequence[Found], means: Sequence[Mean]) -> None:
    from statistics import median

    from rich.table import Table

    from mozi_cli import console

    table = Table(title=f"{name}, {len(found)} questions", title_justify="left")
    for column in ("", "mean", "95% interval"):
        table.add_column(column, justify="left" if not column else "right")
    for mean in means:
        low, high = mean.interval
        table.add_row(mean.name, f"{mean.value * 100:.1f}", f"{low * 100:.1f} to {high * 100:.1f}")
    table.add_row("ms a question (median)", f"{median(item.milliseconds for item in found):.1f}", "")
    console.stdout.print(table)
