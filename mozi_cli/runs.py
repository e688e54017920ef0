"""`mozi runs`: the trainings on this disk, their recipes and how they went."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mozi_engine.errors import ModelError

if TYPE_CHECKING:
    from mozi_engine.training.runs.history import Run

app = typer.Typer(
    help="List, show, compare and draw training runs.", no_args_is_help=True, rich_markup_mode=None
)

_RUNS = Path("runs")
_NO_END = 10_000  # columns: in a pipe, what is long stays whole

Name = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name in runs/.")]
Places = Annotated[
    list[Path] | None,
    typer.Argument(metavar="RUN|FOLDER", help="Runs, or folders of runs; runs/ if none."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]


@app.command("list", epilog="Example: mozi runs list ~/experiments --json")
def list_runs(places: Places = None, json: Json = False) -> None:
    """Show every run: how far it is, and its losses."""
    found = sorted(_found(places), key=lambda run: run.changed, reverse=True)
    if json:
        _print_json([_record(run) for run in found])
        return
    headings = ("run", "kind", "base", "step", "loss", "best held out", "state", "last measured")
    _print_table(headings, [_row(run) for run in found])
    _say_problems(found)


@app.command(epilog="Example: mozi runs show runs/paper")
def show(run: Name, json: Json = False) -> None:
    """Show one run: its recipe, its measures, its checkpoints."""
    found = _one(run)
    if json:
        _print_json(_record(found) | {"recipe": dict(found.recipe)})
        return
    for line in _about(found):
        typer.echo(line)
    typer.echo()
    _print_table(("measure", "first", "last", "lowest", "highest"), _measures(found))
    typer.echo()
    _print_table(("recipe", ""), found.recipe)
    _say_problems([found])


@app.command(epilog="Example: mozi runs compare runs/one runs/two")
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Two runs, or more.")],
    json: Json = False,
) -> None:
    """Show where the recipes of runs differ, and what came of them."""
    from mozi_engine.training.runs import history

    if len(runs) < 2:
        raise typer.BadParameter("give two runs or more")
    found = [_one(run) for run in runs]
    different = history.differences(found)
    if json:
        differ = {each.key: each.values for each in different}
        _print_json({"runs": [_record(run) for run in found], "differences": differ})
        return
    results = zip(("step", "loss", "best held out", "state"), *(_results(run) for run in found), strict=True)
    rows = [*((each.key, *each.values) for each in different), *results]
    _print_table(("", *(str(run.folder) for run in found)), rows)
    _say_problems(found)


@app.command(
    epilog="""\b
Examples:
  mozi runs plot runs/paper
  mozi runs plot runs/one runs/two --measure loss --out curve.svg
"""
)
def plot(
    places: Places = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="What is drawn; repeatable. The losses, if none is named.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Draw into a file: .svg, .png, .pdf.")] = None,
) -> None:
    """Draw what runs measured, here or into a file."""
    _needs("matplotlib", "plotext")
    from rich.console import Console

    from mozi_cli import curves
    from mozi_engine.training.runs import history

    found = _found(places)
    chosen = history.curves(found, measure or ("loss", "held_out_loss"))
    if out:
        curves.picture(chosen, out)
        typer.echo(f"written: {out}", err=True)
    else:
        screen = Console()
        width, height = (screen.width, screen.height - 2) if screen.is_terminal else (100, 24)
        height = min(max(height, 8), 24)
        typer.echo(curves.in_characters(chosen, width, height, coloured=screen.is_terminal))
    _say_problems(found)


def _found(places: Sequence[Path] | None) -> list[Run]:
    _needs("yaml")
    from mozi_engine.training.runs import history

    return history.find([_place(given) for given in places or [_RUNS]])


def _one(given: Path) -> Run:
    from mozi_engine.errors import DataError

    found = _found([given])
    if len(found) > 1:
        raise DataError(f"{given} holds {len(found)} runs", hint=f"name one: {found[0].folder}")
    return found[0]


def _place(given: Path) -> Path:
    inside = _RUNS / given
    return inside if inside.exists() and not given.exists() else given


def _needs(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        raise ModelError(f"this needs {', '.join(absent)}", hint="pip install 'mozi[train]'")


def _row(run: Run) -> tuple[str, ...]:
    step, loss, best, state = _results(run)
    return str(run.folder), run.kind, Path(run.value("base")).name, step, loss, best, state, _when(run)


def _results(run: Run) -> tuple[str, str, str, str]:
    loss, best = run.measured("loss"), run.best
    return (
        f"{run.step}/{run.total or '?'}",
        f"{loss.values[-1]:.3f}" if loss else "",
        f"{best.value:.3f} ({best.name.replace('_', ' ')}, step {best.step})" if best else "",
        run.state,
    )


def _when(run: Run) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(run.changed).astimezone():%Y-%m-%d %H:%M}"


def _about(run: Run) -> list[str]:
    step, _, best, state = _results(run)
    kept = ", ".join(map(str, run.checkpoints)) or "none"
    lines = [
        f"{run.folder}: {run.kind}, {state}, step {step}, last measured {_when(run)}",
        f"base: {run.value('base') or '?'}",
        f"checkpoints: {kept}",
    ]
    return [*lines, f"best held out: {best}"] if best else lines


def _measures(run: Run) -> list[tuple[str, ...]]:
    return [
        (
            each.name,
            *(
                f"{value:.4g}"
                for value in (each.values[0], each.values[-1], min(each.values), max(each.values))
            ),
        )
        for each in run.series
    ]


def _record(run: Run) -> dict[str, Any]:
    from dataclasses import asdict

    last = {each.name: _finite(each.values[-1]) for each in run.series}
    best = asdict(run.best) if run.best else None
    return {
        "run": str(run.folder),
        "kind": run.kind,
        "base": run.value("base"),
        "state": run.state,
        "step": run.step,
        "total": run.total,
        "last": last,
        "best": best,
        "checkpoints": run.checkpoints,
        "changed": run.changed,
        "problems": run.problems,
    }


def _finite(value: float) -> float | None:
    """The value as JSON can have it."""
    return value if math.isfinite(value) else None


def _say_problems(runs: Sequence[Run]) -> None:
    for run in runs:
        for problem in run.problems:
            typer.echo(f"{run.folder}: {problem}", err=True)


def _print_json(record: object) -> None:
    import json

    typer.echo(json.dumps(record, ensure_ascii=False, indent=2))


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    if not console.is_terminal:
        console.width = _NO_END
    console.print(table)
