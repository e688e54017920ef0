import json
from pathlib import Path

import pytest

from tests.command import mozi, refusal
from tests.openai_server import OpenAIServer
from tests.unit.test_qasper import PAPERS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "qasper.json"
    path.write_text(json.dumps(PAPERS | {"broken": {"title": 1}}), "utf-8")
    return path


def test_every_retriever_is_scored_and_broken_records_are_named(data: Path) -> None:
    ran = mozi("eval", "retrieval", str(data), "--json")
    assert ran.returncode == 0
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["title"].partition(",")[0] for record in records] == ["bm25", "dense", "hybrid"]
    assert {"name": "MRR", "value": 1.0, "interval": [1.0, 1.0], "questions": 1} in records[0]["scores"]
    assert "skipped broken" in ran.stderr


def test_an_unknown_retriever_is_wrong_usage(data: Path) -> None:
    ran = mozi("eval", "retrieval", str(data), "--retriever", "bm52")
    assert ran.returncode == 2
    assert "bm25, dense, hybrid" in ran.stderr


def test_a_file_that_is_not_there_is_one_line_and_a_hint() -> None:
    message, hint = refusal(mozi("eval", "retrieval", "none.json"))
    assert "none.json cannot be read" in message
    assert "QASPER" in hint


def test_answers_are_predicted_once_and_scored_as_often_as_asked(
    data: Path, tmp_path: Path, openai: OpenAIServer
) -> None:
    openai.says("SQuAD and NQ.")
    out = tmp_path / "out.jsonl"
    command = ("eval", "qasper", data, out, "--base-url", openai.url, "--model", "tiny", "--json")
    first = mozi(*command)
    assert first.returncode == 0, first.stderr
    scores = {score["name"]: score for score in json.loads(first.stdout)["scores"]}
    assert scores["Answer-F1"]["questions"] == 1
    assert scores["Answer-F1"]["value"] > 0.5
    asked = len(openai.requests)
    assert mozi(*command).stdout == first.stdout
    assert len(openai.requests) == asked


def test_an_unknown_kind_of_evidence_is_wrong_usage(data: Path, tmp_path: Path) -> None:
    assert mozi("eval", "qasper", data, tmp_path / "out.jsonl", "--evidence", "some").returncode == 2
