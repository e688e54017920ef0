import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import MOZI, mozi, refusal
from tests.openai_server import OpenAIServer, delta
from tests.unit.test_qasper import NOTHING, PAPERS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "qasper.json"
    path.write_text(json.dumps(PAPERS | {"broken": {"title": 1}}), "utf-8")
    return path


def _many(path: Path, questions: int = 12) -> Path:
    """A file of questions that each have another passage as evidence."""
    texts = [f"Model {i} has {i * 7} layers." for i in range(questions)]
    qas = [
        {
            "question_id": f"q{i}",
            "question": f"How many layers has model {i}?",
            "answers": [{"answer": NOTHING | {"extractive_spans": [str(i * 7)], "evidence": [text]}}],
        }
        for i, text in enumerate(texts)
    ]
    paper = {"title": "Layers", "full_text": [{"section_name": "All", "paragraphs": texts}], "qas": qas}
    path.write_text(json.dumps({"p": paper}), "utf-8")
    return path


def _tables(ran: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert ran.returncode == 0, ran.stderr
    tables = json.loads(ran.stdout)["tables"]
    return {table["name"]: {score["name"]: score for score in table["scores"]} for table in tables}


def test_every_retriever_is_scored_and_broken_records_are_named(data: Path) -> None:
    ran = mozi("eval", "retrieval", data, "--json")
    tables = _tables(ran)
    assert list(tables) == ["bm25", "dense", "hybrid"]
    assert tables["bm25"]["MRR"]["value"] == 1.0
    assert tables["bm25"]["MRR"]["interval"] == [1.0, 1.0]
    assert "skipped qasper.json:2: broken" in ran.stderr


def test_two_retrievers_are_compared(data: Path, tmp_path: Path) -> None:
    for name in ("bm25", "dense"):
        out = tmp_path / f"{name}.json"
        assert mozi("eval", "retrieval", data, "--retriever", name, "--out", out).returncode == 0
    ran = mozi("eval", "compare", tmp_path / "bm25.json", tmp_path / "dense.json", "--json")
    (comparison,) = json.loads(ran.stdout)
    assert comparison["name"] == "bm25, dense"
    assert {item["name"] for item in comparison["differences"]} >= {"Evidence-F1 at 1", "MRR"}
    shown = mozi("eval", "compare", tmp_path / "bm25.json", tmp_path / "dense.json")
    assert "difference" in shown.stdout


def test_an_unknown_retriever_is_one_line_and_a_hint(data: Path) -> None:
    message, hint = refusal(mozi("eval", "retrieval", data, "--retriever", "bm52"))
    assert "bm52" in message
    assert "bm25, dense, hybrid" in hint


def test_a_file_that_is_not_there_is_one_line_and_a_hint() -> None:
    message, hint = refusal(mozi("eval", "retrieval", "none.json"))
    assert "none.json cannot be read" in message
    assert "as published" in hint


def _asks(data: Path, out: Path, server: OpenAIServer, *more: object) -> tuple[object, ...]:
    return ("eval", "qasper", data, out, "--base-url", server.url, "--model", "tiny", *more)


def test_answers_are_predicted_once_and_scored_as_often_as_asked(
    data: Path, tmp_path: Path, openai: OpenAIServer
) -> None:
    openai.says("SQuAD and NQ.")
    command = _asks(data, tmp_path / "run", openai, "--json")
    first = mozi(*command)
    tables = _tables(first)
    assert list(tables) == ["official", "mozi-report", "not in the paper"]
    assert tables["official"]["Answer-F1"]["n"] == 1
    assert tables["official"]["Answer-F1"]["value"] > 0.5
    assert tables["mozi-report"]["Answer-R"]["value"] == 1.0
    asked = len(openai.requests)
    assert mozi(*command).stdout == first.stdout
    assert len(openai.requests) == asked
    again = mozi("eval", "qasper", data, tmp_path / "run", "--score-only", "--json")
    assert again.stdout == first.stdout


def test_scoring_alone_needs_predictions(data: Path, tmp_path: Path) -> None:
    message, hint = refusal(
        mozi("eval", "qasper", data, tmp_path, "--score-only"), noted="skipped qasper.json:2: broken"
    )
    assert "predictions.jsonl is not there" in message
    assert "--score-only" in hint


def test_predictions_of_another_system_are_scored_and_compared(data: Path, tmp_path: Path) -> None:
    for name, answer in (("a", "SQuAD"), ("b", "SQuAD, NQ")):
        line = {"question_id": "q1", "predicted_answer": answer, "predicted_evidence": []}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    paths = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    ran = mozi("eval", "compare", *paths, "--data", data, "--json")
    official = json.loads(ran.stdout)[0]["differences"][0]
    assert (official["first"], official["second"]) == (pytest.approx(2 / 3), 1.0)
    message, hint = refusal(mozi("eval", "compare", *paths))
    assert "not scored" in message
    assert "--data" in hint


def test_another_run_is_not_mixed_in(data: Path, tmp_path: Path, openai: OpenAIServer) -> None:
    openai.says("SQuAD.")
    assert mozi(*_asks(data, tmp_path / "run", openai)).returncode == 0
    ran = mozi(*_asks(data, tmp_path / "run", openai, "--evidence", "gold"))
    message, _ = refusal(ran, noted="skipped qasper.json:2: broken")
    assert "holds another run: evidence retrieved" in message


@pytest.mark.parametrize("given", [("--evidence", "some"), ("--workers", "0"), ("-k", "0")])
def test_wrong_usage(data: Path, tmp_path: Path, openai: OpenAIServer, given: tuple[str, str]) -> None:
    assert mozi(*_asks(data, tmp_path / "run", openai, *given)).returncode == 2


def test_workers_need_a_server(data: Path, tmp_path: Path) -> None:
    ran = mozi("eval", "qasper", data, tmp_path / "run", "--workers", "2")
    assert ran.returncode == 2
    assert "--base-url" in ran.stderr


def _slowly(text: str) -> Iterator[bytes]:
    time.sleep(0.05)
    yield f"data: {json.dumps(delta(text))}\n\ndata: [DONE]\n\n".encode()


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_killed_in_the_middle_resumes_to_the_same_bytes(
    tmp_path: Path, openai: OpenAIServer, workers: int
) -> None:
    data = _many(tmp_path / "many.json")

    def command(out: str) -> tuple[object, ...]:
        openai.replies = [_slowly("It has 14 layers.") for _ in range(40)]
        return _asks(data, tmp_path / out, openai, "--workers", workers)

    assert mozi(*command("whole")).returncode == 0
    cut = tmp_path / "cut" / "predictions.jsonl"
    with subprocess.Popen(
        [MOZI, *map(str, command("cut"))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while _lines(cut) < 3 and run.poll() is None:
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)
    assert 3 <= _lines(cut) < 12
    with cut.open("ab") as file:
        file.write(b'{"question_id": "q9", "predic')  # as a kill within a write leaves it
    assert mozi(*command("cut")).returncode == 0
    for name in ("predictions.jsonl", "run.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    whole, resumed = (
        json.loads((tmp_path / name / "report.json").read_text("utf-8")) for name in ("whole", "cut")
    )
    assert whole["tables"] == resumed["tables"]


def _dialogues(path: Path) -> Path:
    messages = [
        {"role": "user", "content": "My paper was rejected again."},
        {"role": "assistant", "content": "That hurts. What did the reviewers say?"},
    ]
    path.write_text(json.dumps({"id": "d", "type": "support", "messages": messages}) + "\n", "utf-8")
    return path


def test_the_companion_replies_once_and_is_scored_as_often_as_asked(
    tmp_path: Path, openai: OpenAIServer
) -> None:
    data, labelled = _dialogues(tmp_path / "sft.jsonl"), tmp_path / "crisis.jsonl"
    labelled.write_text('{"text": "I want to die", "label": "risk", "lang": "en"}\n', "utf-8")
    openai.says("That hurts. What now?")
    out = tmp_path / "talk"
    ran = mozi(
        *("eval", "dialogues", data, out, "--base-url", openai.url, "--model", "tiny"),
        *("--crisis", labelled, "--json"),
    )
    tables = _tables(ran)
    assert list(tables) == ["replies", "crisis screen"]
    assert tables["replies"]["length, words"]["value"] == 4
    assert tables["crisis screen"]["recall"]["value"] == 1
    asked = len(openai.requests)
    again = mozi("eval", "dialogues", data, out, "--score-only", "--crisis", labelled, "--json")
    assert again.stdout == ran.stdout
    assert len(openai.requests) == asked
    other = mozi(
        *("eval", "dialogues", data, out, "--base-url", openai.url, "--model", "tiny", "--prompt", "none")
    )
    assert "holds another run: prompt support" in refusal(other)[0]


def test_the_bare_model_replies_without_mozis_prompt(tmp_path: Path, openai: OpenAIServer) -> None:
    data = _dialogues(tmp_path / "sft.jsonl")
    openai.says("Oh no.")
    ran = mozi(
        *("eval", "dialogues", data, tmp_path / "bare", "--base-url", openai.url, "--model", "tiny"),
        *("--prompt", "none"),
    )
    assert ran.returncode == 0, ran.stderr
    (request,) = openai.requests
    assert [message["role"] for message in request[2]["messages"]] == ["user"]


def test_the_crisis_screen_is_scored_alone(tmp_path: Path) -> None:
    path = tmp_path / "crisis.jsonl"
    path.write_text('{"text": "This review is killing me", "label": "none", "lang": "en"}\n', "utf-8")
    tables = _tables(mozi("eval", "crisis", path, "--json"))
    assert tables["crisis screen"]["false alarms"]["value"] == 0
