"""Raw files with any value in any place: what is broken is named, and nothing ends in a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mozi_engine.datasets import dialogues, dolly, mixture, papers
from mozi_engine.datasets.examples import Options
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.errors import DataError
from mozi_engine.evaluation import crisis, report, runs
from mozi_engine.evaluation import dialogues as talk
from mozi_engine.evaluation import qasper as answers
from mozi_engine.evaluation.bootstrap import mean
from mozi_engine.evaluation.report import Table
from tests.unit.raw_papers import answer, paper, question
from tests.unit.test_prepare_conversations import DOLLY, FORMS

ODD: list[Any] = [None, True, 3, -0.5, "", "x", [], {}, [3], [None], [[]], [{}], {"x": 3}, "\ud800"]
ASKED = (answer(extractive_spans=["x"]), answer(free_form_answer="x"), answer(unanswerable=True))
QASPER = paper(question("q", *ASKED, answer(yes_no=True)))
ALONE = {
    "article_id": "1",
    "text": "Which?",
    "extractive_spans": ["x"],
    "evidence": ["FLOAT SELECTED: T", "We."],
}
TALK = {"id": "a", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
LABELLED = {"text": "x", "label": "risk", "lang": "en", "class": "a", "template": "t"}
TIMING = {"question_id": "q", "ttft_ms": 1.0, "total_ms": 1.0, "prompt_tokens": 1, "completion_tokens": 1}


def _odd(value: Any) -> Iterator[Any]:
    """The value with every odd one in every place of it, and with every place left out."""
    for odd in ODD:
        yield copy.deepcopy(odd)
    for key in (
        list(value) if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    ):
        for inside in _odd(value[key]):
            changed = copy.copy(value)
            changed[key] = inside
            yield changed
        changed = copy.copy(value)
        del changed[key]
        yield changed


def _json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def _jsonl(path: Path, records: Iterator[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def _named(events: Iterator[Any], file: str) -> None:
    *_, made = events
    assert isinstance(made, Manifest)
    assert made.skipped
    assert all(item.file == file and item.reason for item in made.skipped)


ANY = Options(tolerance=1.0)


@pytest.mark.parametrize(("record", "key"), [(QASPER, "paper"), (ALONE, "question")])
def test_qasper(tmp_path: Path, record: dict[str, Any], key: str) -> None:
    content = {f"{key}{number}": odd for number, odd in enumerate(_odd(record))}
    content |= {"whole": record, "\ud800": record}
    _named(papers.prepare("qasper", _json(tmp_path / "dev.json", content), tmp_path / "out", ANY), "dev.json")


def test_scimrc(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "smrc_dev.jsonl", _odd(QASPER | {"id": "x"}))
    _named(papers.prepare("scimrc", raw, tmp_path / "out", ANY), raw.name)


def test_dolly(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "dolly.jsonl", _odd(DOLLY))
    _named(dolly.prepare(raw, tmp_path / "out", dolly.Options(tolerance=1.0)), raw.name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("told", [True, False])
def test_dialogues(tmp_path: Path, form: str, told: bool) -> None:
    options = dialogues.Options(form if told else "", tolerance=1.0)
    odd = list(_odd(FORMS[form]))
    raw = _jsonl(tmp_path / "raw.jsonl", iter(odd))
    _named(dialogues.prepare(raw, tmp_path / "out", lambda _: False, options), raw.name)
    raw = _json(tmp_path / "raw.json", [FORMS["smile"], *odd])
    _named(dialogues.prepare(raw, tmp_path / "out", lambda _: False, options), raw.name)


def test_mixtures(tmp_path: Path) -> None:
    list(dolly.prepare(_jsonl(tmp_path / "dolly.jsonl", iter([DOLLY])), tmp_path / "part"))
    raw, options = tmp_path / "part" / "train" / "sft.jsonl", mixture.Options(tolerance=1.0)
    _jsonl(raw, iter([TALK, *_odd(TALK)]))
    _named(mixture.prepare({"p": tmp_path / "part"}, tmp_path / "out", options), "p/sft.jsonl")
    known = json.loads((tmp_path / "part" / "manifest.json").read_bytes())
    for odd in _odd({name: known[name] for name in ("licence", "outputs")}):
        _json(tmp_path / "part" / "manifest.json", odd)
        _refused_or_read(lambda: list(mixture.prepare({"p": tmp_path / "part"}, tmp_path / "out", options)))


def _refused_or_read(work: Callable[[], object]) -> None:
    with suppress(DataError):
        work()


def _report(path: Path) -> dict[str, Any]:
    report.write(path, "t", [Table("a", (mean("m", {"x": 1.0, "y": 0.0}),), {"x": "1", "y": "2"})])
    return dict(json.loads(path.read_bytes()))


def test_what_evaluations_read(tmp_path: Path) -> None:
    path = tmp_path / "timings.jsonl"
    for read, whole in (
        (lambda: answers.timings(tmp_path), TIMING),
        (lambda: talk.read(path), TALK),
        (lambda: crisis.table(crisis.read(path), bool).scores(), LABELLED),
    ):
        for odd in _odd(whole):
            _jsonl(path, iter([odd]))
            _refused_or_read(read)
    for odd in _odd(_report(path)):
        _json(path, odd)
        _refused_or_read(lambda: [table.scores() for table in report.read(path)])


def test_a_line_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(DataError, match="line 1 is no JSON"):
        runs.lines(tmp_path / "deep.jsonl", "hint")
