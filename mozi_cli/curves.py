"""Curves of training runs, drawn in characters or into a picture file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import plotext
from matplotlib.figure import Figure

from mozi_engine.errors import DataError
from mozi_engine.files import atomic
from mozi_engine.training.runs.history import Run, Series

Curves = Sequence[tuple[Run, Series]]

_FORMS = ("svg", "png", "pdf")


def in_characters(curves: Curves, width: int, height: int, *, coloured: bool) -> str:
    """The curves as lines of text, `width` by `height` characters; each has its name written on it."""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.all()
    figure.plot_size(width, height)
    figure.theme("default" if coloured else "colorless")
    figure.canvas("default")
    figure.legend(active=False)  # its box would lie over the curves
    figure.label("step", axis=0)
    named = []
    for number, (label, steps, values) in enumerate(_labelled(curves), 1):
        figure.draw(figure.signal(steps, values, marker="braille").lines())
        place = (len(steps) - 1) * number // (len(curves) + 1)  # apart, where two curves lie together
        named.append(figure.text(steps[place], values[place], f" {label} ", alignment="center"))
    for name in named:
        figure.draw(name)
    drawn = str(figure.build())
    return drawn if coloured else str(plotext.uncolorize(drawn))


def picture(curves: Curves, path: Path) -> None:
    """Draw the curves into a file, as its name says: .svg, .png, .pdf. Raises DataError."""
    form = path.suffix.lstrip(".").lower()
    if form not in _FORMS:
        raise DataError(f"{path} is no name of a picture", hint="end it in ." + ", .".join(_FORMS))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for label, steps, values in _labelled(curves):
        axes.plot(steps, values, label=label, linewidth=1.2, marker="o" if len(steps) < 20 else None)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend()
    drawn = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "mozi"}):  # the same curves are the same bytes
        figure.savefig(drawn, format=form, dpi=150, metadata={} if form == "png" else {_DATES[form]: None})
    with atomic(path) as file:
        file.write(drawn.getvalue())


_DATES = {"svg": "Date", "pdf": "CreationDate"}


def _labelled(curves: Curves) -> list[tuple[str, list[int], list[float]]]:
    several = len({run.folder for run, _ in curves}) > 1
    found = []
    for run, series in curves:
        name = series.name.replace("_", " ")
        points = [pair for pair in zip(series.steps, series.values, strict=True) if math.isfinite(pair[1])]
        label = f"{run.folder.name}: {name}" if several else name
        if points:
            found.append((label, [step for step, _ in points], [value for _, value in points]))
    return found
