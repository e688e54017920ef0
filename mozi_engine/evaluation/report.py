"""A report: tables of figures, with what each item contributed, so that two reports can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from mozi_engine.errors import DataError
from mozi_engine.evaluation.bootstrap import Difference, Measure, Score, Statistic, difference, score
from mozi_engine.files import atomic

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one protocol. `clusters` says which items are resampled together (a question's paper).

    `plain` are figures that no interval belongs to, and `notes` what a reader must know about them.
    """

    name: str
    measures: tuple[Measure, ...]
    clusters: Mapping[str, str] = field(default_factory=dict)
    plain: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()

    def scores(self, seed: int = 0) -> list[Score]:
        """Every figure with its interval, in order."""
        return [score(measure, self.clusters, seed) for measure in self.measures] + list(self.plain)


def write(path: Path, title: str, tables: Sequence[Table], seed: int = 0) -> None:
    """Write the report as JSON, whole or not at all. Raises DataError when it cannot be written."""
    record = {"title": title, "seed": seed, "tables": [_record(table, seed) for table in tables]}
    with atomic(path) as file:
        file.write(json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n")


def _record(table: Table, seed: int) -> dict[str, Any]:
    return {
        "name": table.name,
        "notes": table.notes,
        "scores": [_rounded(asdict(score)) for score in table.scores(seed)],
        "measures": [_rounded(asdict(measure)) for measure in table.measures],
        "clusters": table.clusters,
        "plain": [_rounded(asdict(score)) for score in table.plain],
    }


def _rounded(value: Any) -> Any:
    """The same value with floats short enough to be alike on every machine."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def read(path: Path) -> list[Table]:
    """The tables of a report. Raises DataError when it is none."""
    try:
        record = json.loads(path.read_text("utf-8"))
        return [_table(entry) for entry in record["tables"]]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="give a report.json") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is no report", hint="give a report.json that mozi eval wrote") from error


def _table(entry: Any) -> Table:
    measures = tuple(_measure(measure) for measure in entry["measures"])
    plain = tuple(Score(**score) for score in entry["plain"])
    clusters = {item: str(cluster) for item, cluster in entry["clusters"].items()}
    return Table(entry["name"], measures, clusters, plain, tuple(entry["notes"]))


def _measure(entry: Any) -> Measure:
    statistic, rows = entry["statistic"], entry["rows"]
    if statistic not in get_args(Statistic):
        raise ValueError(statistic)
    columns = 3 if statistic == "f1" else 2
    kept = {item: tuple(float(number) for number in row) for item, row in rows.items()}
    if any(len(row) != columns for row in kept.values()):
        raise ValueError("rows of another length")
    return Measure(entry["name"], kept, statistic, entry["unit"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table of two reports, side by side; `unpaired` counts the items that only one of them has."""

    name: str
    differences: tuple[Difference, ...]
    unpaired: int


def compare(first: Sequence[Table], second: Sequence[Table], seed: int = 0) -> list[Comparison]:
    """The tables that both reports have, or their only ones, whatever these are called.

    Raises DataError when they have nothing in common.
    """
    if len(first) == len(second) == 1:
        pairs = [(first[0], second[0])]
    else:
        others = {table.name: table for table in second}
        pairs = [(table, others[table.name]) for table in first if table.name in others]
    found = [comparison for pair in pairs if (comparison := _compared(*pair, seed)).differences]
    if not found:
        raise DataError("the two reports measure nothing in common", hint="compare reports of one command")
    return found


def _compared(first: Table, second: Table, seed: int) -> Comparison:
    others = {(measure.name, measure.statistic): measure for measure in second.measures}
    both = [(m, others[m.name, m.statistic]) for m in first.measures if (m.name, m.statistic) in others]
    clusters = {**second.clusters, **first.clusters}
    differences = [difference(one, other, clusters, seed) for one, other in both]
    unpaired = max((len(one.rows.keys() ^ other.rows.keys()) for one, other in both), default=0)
    name = first.name if first.name == second.name else f"{first.name}, {second.name}"
    return Comparison(name, tuple(item for item in differences if item.n), unpaired)
