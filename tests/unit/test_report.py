import json
from pathlib import Path

import pytest

from mozi_engine.errors import DataError
from mozi_engine.evaluation.bootstrap import Measure, Score, mean
from mozi_engine.evaluation.report import Table, compare, read, write

ROWS = {"q1": 0.5, "q2": 1 / 3, "q3": 0.0}
TABLE = Table(
    "official",
    (mean("Answer-F1", ROWS), Measure("F1", {"q1": (1.0, 1.0, 1.0)}, "f1")),
    {"q1": "p", "q2": "p", "q3": "r"},
    (Score("distinct-1", 0.5, None, 3),),
    ("one note",),
)


def test_a_report_is_read_back_and_scores_the_same(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write(path, "a run", [TABLE])
    (found,) = read(path)
    assert [s.name for s in found.scores()] == ["Answer-F1", "F1", "distinct-1"]
    assert found.clusters == TABLE.clusters
    assert found.notes == TABLE.notes
    assert found.scores()[0].value == pytest.approx(TABLE.scores()[0].value, abs=1e-6)
    before = path.read_bytes()
    write(path, "a run", [TABLE])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        '{"tables": [1]}',
        '{"tables": [{"name": "x", "measures": [{"statistic": "sum"}], "clusters": {}, "plain": [], "notes": []}]}',
        json.dumps(
            {
                "tables": [
                    {
                        "name": "x",
                        "measures": [
                            {"name": "m", "statistic": "f1", "unit": "share", "rows": {"a": [1, 2]}}
                        ],
                        "clusters": {},
                        "plain": [],
                        "notes": [],
                    }
                ]
            }
        ),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match="is no report"):
        read(path)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_tables_of_one_name_are_compared_over_what_both_have() -> None:
    better = {key: value + 0.1 for key, value in ROWS.items() if key != "q3"}
    other = Table("official", (mean("Answer-F1", better),))
    (found,) = compare([TABLE, Table("x", ())], [Table("y", ()), other])
    assert (found.name, found.unpaired) == ("official", 1)
    (item,) = found.differences
    assert item.second - item.first == pytest.approx(0.1)
    assert item.n == 2


def test_the_only_tables_of_two_reports_are_compared_whatever_their_names() -> None:
    one, other = Table("bm25", (mean("MRR", ROWS),)), Table("dense", (mean("MRR", ROWS),))
    (found,) = compare([one], [other])
    assert found.name == "bm25, dense"
    assert found.differences[0].p == 1


def test_reports_with_nothing_in_common_are_not_compared() -> None:
    with pytest.raises(DataError, match="nothing in common"):
        compare([Table("a", (mean("x", ROWS),))], [Table("b", (mean("y", ROWS),))])
