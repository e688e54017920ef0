"""Figures on a terminal as tables, or as one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import typer
from rich.table import Table as Grid

from mozi_cli import console
from mozi_engine.evaluation.bootstrap import Difference, Score
from mozi_engine.evaluation.report import Comparison, Table

Unit = Literal["share", "number"]


def show(title: str, tables: Sequence[Table], seed: int, *, as_json: bool) -> None:
    """Every table by itself, protocols never mixed; shares in percent, with their 95% intervals."""
    scored = [(table, table.scores(seed)) for table in tables]
    if as_json:
        record = [
            {"name": table.name, "notes": table.notes, "scores": [asdict(score) for score in scores]}
            for table, scores in scored
        ]
        typer.echo(json.dumps({"title": title, "tables": record}, ensure_ascii=False))
        return
    for table, scores in scored:
        console.stdout.print(_grid(f"{title}: {table.name}", scores))
        for note in table.notes:
            console.stdout.print(note, markup=False, soft_wrap=True)


def _grid(title: str, scores: Sequence[Score]) -> Grid:
    grid = _columns(title, "", "value", "95% interval", "of")
    for score in scores:
        grid.add_row(score.name, figure(score.value, score.unit), _span(score), str(score.n))
    return grid


def show_comparison(names: tuple[str, str], comparisons: Sequence[Comparison], *, as_json: bool) -> None:
    """Two reports side by side: both figures, the difference, its 95% interval and p."""
    if as_json:
        typer.echo(json.dumps([asdict(comparison) for comparison in comparisons], ensure_ascii=False))
        return
    for comparison in comparisons:
        columns = ("", *names, "difference", "95% interval", "p", "of")
        grid = _columns(comparison.name, *columns)
        for item in comparison.differences:
            grid.add_row(item.name, *_side_by_side(item), str(item.n))
        console.stdout.print(grid)
        if comparison.unpaired:
            console.stdout.print(f"{comparison.unpaired} items that only one of them has are left out")


def _side_by_side(item: Difference) -> tuple[str, ...]:
    low, high = (figure(bound, item.unit, sign=True) for bound in item.interval)
    difference = figure(item.second - item.first, item.unit, sign=True)
    return (
        figure(item.first, item.unit),
        figure(item.second, item.unit),
        difference,
        f"{low} to {high}",
        f"{item.p:.4f}",
    )


def _columns(title: str, *names: str) -> Grid:
    grid = Grid(title=title, title_justify="left")
    for name in names:
        grid.add_column(name, justify="right" if name else "left")
    return grid


def _span(score: Score) -> str:
    if score.interval is None:
        return ""
    low, high = (figure(bound, score.unit) for bound in score.interval)
    return f"{low} to {high}"


def figure(value: float, unit: Unit, *, sign: bool = False) -> str:
    """A share in percent, a number as it is."""
    mark = "+" if sign else ""
    return f"{value * 100:{mark}.1f}" if unit == "share" else f"{value:{mark}.3f}"
