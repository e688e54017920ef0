"""`mozi chat` and `mozi evidence` as a script runs them: what is on stdout, what on stderr, which exit code."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from tests.command import MOZI, PROGRESS, mozi, refusal
from tests.openai_server import OpenAIServer

HOW_MANY = "How many author nodes does the literature graph have?"
AUTHORS = "The literature graph has 12M nodes of this type."


def chat(
    server: OpenAIServer, paper: object, *arguments: object, stdin: str | bytes = ""
) -> subprocess.CompletedProcess[str]:
    engine = ("--engine", "remote", "--base-url", server.url, "--model", "qwen3")
    return mozi("chat", *engine, "--paper", paper, *arguments, stdin=stdin)


def records(ran: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_an_answer_is_printed_with_its_mark_and_its_quotation(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says(AUTHORS)
    ran = chat(openai, example_read, "--ask", HOW_MANY)
    assert ran.stdout.splitlines() == [
        f"> {HOW_MANY}",
        f"{AUTHORS} [1]",
        "",
        "[1] page 2, 2.1 Node Types",
        f'    "{AUTHORS}"',
    ]
    assert ran.returncode == 0
    assert ran.stderr == "answered from passages; with --whole, the model reads the whole paper first\n"


def test_the_server_is_sent_the_passages_the_question_and_how_to_decode(
    example_read: Path, openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOZI_API_KEY", "secret")
    openai.says(AUTHORS)
    decoding = ("--temperature", 0.5, "--top-p", 0.9, "--top-k", 10, "--seed", 4, "--max-tokens", 30)
    chat(openai, example_read, "-k", 2, "--ask", HOW_MANY, *decoding)
    ((path, headers, sent),) = openai.requests
    assert (path, headers["Authorization"]) == ("/v1/chat/completions", "Bearer secret")
    asked = {"model": "qwen3", "temperature": 0.5, "top_p": 0.9, "top_k": 10, "seed": 4, "max_tokens": 30}
    assert asked.items() <= sent.items()
    assert openai.prompts()[0].count('Passage from "') == 1 + 2  # the abstract before them
    assert openai.prompts()[0].endswith(f"Question: {HOW_MANY}")


def test_questions_of_one_command_have_nothing_to_do_with_each_other(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says(AUTHORS, "Papers have metadata.")
    ran = chat(openai, example_read, "--ask", HOW_MANY, "--ask", "and those of papers?")
    assert ran.returncode == 0
    assert [line for line in ran.stdout.splitlines() if line.startswith("> ")] == [
        f"> {HOW_MANY}",
        "> and those of papers?",
    ]
    assert len(openai.requests) == 2
    assert HOW_MANY not in openai.prompts()[1]


def test_json_is_one_object_a_question_with_every_key(example_read: Path, openai: OpenAIServer) -> None:
    openai.says(AUTHORS, "Not in the paper.")
    ran = chat(openai, example_read, "--json", "-a", HOW_MANY, "-a", "What is the capital of France?")
    answered, refused = records(ran)
    assert ran.stderr == ""
    assert {"question", "answer", "verdict", "from", "evidence", "citations", "model", "timings"} <= set(
        answered
    )
    assert (answered["question"], answered["answer"], answered["model"]) == (HOW_MANY, AUTHORS, "qwen3")
    assert set(answered["evidence"][0]) == {"index", "page", "section", "kind", "text", "score", "boxes"}
    (citation,) = answered["citations"]
    assert set(citation) == {"sentence", "passage", "start", "end", "quote", "page", "boxes", "support"}
    assert citation["quote"] == AUTHORS
    assert citation["sentence"] == AUTHORS
    assert citation["page"] == 2
    assert {box["page"] for box in citation["boxes"]} == {2}
    assert answered["timings"]["prompt_tokens"] == 7
    assert set(answered["timings"]) == {
        "read_ms", "search_ms", "ttft_ms", "total_ms", "prompt_tokens", "completion_tokens",
    }  # fmt: skip
    assert answered["from"] == refused["from"] == "passages"
    assert (answered["verdict"], refused["verdict"]) == ("answered", "not_in_paper")
    assert refused["citations"] == []
    assert refused["evidence"]


def test_every_quotation_is_to_the_letter_what_the_passage_says(
    example_read: Path, openai: OpenAIServer
) -> None:
    said = {
        "What is an author node?": f"Each node of this type represents a unique author. {AUTHORS}",
        "How large is the graph?": "More than 280M nodes. Pigs fly.",
        "What is the F1 of bibliography years?": "The F1 of bibliography years is 98.0.",
    }
    openai.says(*said.values())
    answers = records(chat(openai, example_read, "--json", "-k", 8, stdin="\n".join(said)))
    assert [answer["answer"] for answer in answers] == [*said.values()]
    assert all(answer["citations"] for answer in answers)
    for answer, citation in [(a, citation) for a in answers for citation in a["citations"]]:
        text = answer["evidence"][citation["passage"]]["text"]
        assert citation["quote"] == text[citation["start"] : citation["end"]] != ""
        assert citation["sentence"] in answer["answer"]
        assert citation["boxes"]
        assert 0 < citation["support"] <= 1


def test_questions_come_one_a_line_on_stdin_and_empty_lines_are_none(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says(AUTHORS, AUTHORS)
    piped = f"\ufeff{HOW_MANY}\n\n   \nHow many authors are there?"
    asked = [record["question"] for record in records(chat(openai, example_read, "--json", stdin=piped))]
    assert asked == [HOW_MANY, "How many authors are there?"]


def test_no_question_is_no_answer_and_no_error(example_read: Path, openai: OpenAIServer) -> None:
    ran = chat(openai, example_read)
    assert (ran.returncode, ran.stdout, openai.requests) == (0, "", [])


def test_what_nothing_supports_is_marked_and_numbers_are_named(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says(f"{AUTHORS} Pigs fly 99 times.")
    ran = chat(openai, example_read, "-a", HOW_MANY)
    assert ran.stdout.splitlines()[1] == f"{AUTHORS} [1] Pigs fly 99 times. [?]"
    assert ran.stdout.splitlines()[-2:] == [
        "[?] nothing in the evidence says this",
        "not in the cited passages: 99",
    ]


def test_what_the_paper_does_not_say_is_said_with_the_nearest_passage(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says("Not in the paper.")
    lines = chat(openai, example_read, "-a", "How many colours has a rainbow?").stdout.splitlines()
    assert lines[1:3] == ["Not in the paper.", ""]
    assert lines[3].startswith("Nearest: page ")
    assert lines[4].startswith("    ")


def test_progress_of_a_first_reading_is_told_on_stderr_alone(tmp_path: Path, openai: OpenAIServer) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "The literature graph has 12M nodes of this type.")
    document.save(tmp_path / "new.pdf")
    openai.says(AUTHORS)
    ran = chat(openai, tmp_path / "new.pdf", "--json", "-a", HOW_MANY)
    assert records(ran)[0]["citations"][0]["quote"] == AUTHORS
    assert ran.stderr
    assert all(line.startswith(PROGRESS) for line in ran.stderr.splitlines())


def test_a_pipe_gets_no_colours_whatever_the_terminal_can(
    example_read: Path, openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    openai.says(f"{AUTHORS} Pigs fly.")
    ran = chat(openai, example_read, "-a", HOW_MANY)
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_chinese_question_is_searched_in_english_and_answered_in_chinese(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says("How many author nodes does the literature graph have?", "文献图有12M个作者节点。")
    (record,) = records(chat(openai, example_read, "--json", "-a", "文献图有多少个作者节点？"))
    assert "Complete question in English:" in openai.prompts()[0]
    assert openai.prompts()[1].endswith("Answer in Chinese.")
    assert record["question"] == "文献图有多少个作者节点？"
    assert record["citations"][0]["quote"] == AUTHORS


def test_a_server_that_is_not_there_is_one_line_and_what_to_do(example_read: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        ran = mozi("chat", "--engine", "remote", "--base-url", url, "-p", example_read, "-a", HOW_MANY)
    message, hint = refusal(ran)
    assert message.startswith(f"no answer from {url}/chat/completions: ")
    assert "--base-url" in hint


def test_a_server_that_refuses_is_quoted(example_read: Path, openai: OpenAIServer) -> None:
    openai.status, openai.body = 401, b'{"error": {"message": "bad key"}}'
    message, hint = refusal(chat(openai, example_read, "-a", HOW_MANY))
    assert message.endswith("answered 401: bad key")
    assert "MOZI_API_KEY" in hint


def test_a_server_that_dies_in_its_answer_leaves_the_answers_before_it(
    example_read: Path, openai: OpenAIServer
) -> None:
    openai.says(AUTHORS)
    openai.breaks_off_after("The literature")
    ran = chat(openai, example_read, "--json", "-a", HOW_MANY, "-a", "How many papers?", "-a", "Why?")
    assert [json.loads(line)["answer"] for line in ran.stdout.splitlines()] == [AUTHORS]
    assert "broke off in the middle of its answer" in refusal(ran)[0]


def test_a_remote_engine_without_an_address_says_which_option_gives_it(example_read: Path) -> None:
    assert "--base-url" in refusal(mozi("chat", "--engine", "remote", "-p", example_read, "-a", "Why?"))[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["chat"],
        ["chat", "--paper", "a.pdf", "--nonsense"],
        ["chat", "--paper", "a.pdf", "--engine", "abacus"],
        ["chat", "--paper", "a.pdf", "--temperature", "hot"],
        ["chat", "--paper", "a.pdf", "--passages", "0"],
        ["evidence", "a.pdf"],
        ["evidence", "a.pdf", "Why?", "-k", "many"],
        ["summon"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], home: Path) -> None:
    ran = mozi(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Usage: mozi" in ran.stderr
    assert not home.exists()


def test_evidence_shows_the_passages_best_first(example_read: Path) -> None:
    ran = mozi("evidence", example_read, HOW_MANY, "-k", 3)
    blocks = ran.stdout.strip().split("\n\n")
    assert (ran.returncode, ran.stderr, len(blocks)) == (0, "", 3)
    assert blocks[0].startswith("[1] page 2, 2.1 Node Types\n    Authors. Each node of this type")
    assert AUTHORS in blocks[0]
    assert [block[:3] for block in blocks] == ["[1]", "[2]", "[3]"]


def test_evidence_as_json(example_read: Path) -> None:
    (record,) = records(mozi("evidence", example_read, HOW_MANY, "--json"))
    assert record["question"] == HOW_MANY
    assert len(record["evidence"]) == 5
    first = record["evidence"][0]
    assert set(first) == {"index", "page", "section", "kind", "text", "score", "boxes"}
    assert (first["page"], first["section"], first["kind"]) == (2, "2.1 Node Types", "text")
    assert AUTHORS in first["text"]
    assert {tuple(box) for box in first["boxes"]} == {("page", "x0", "y0", "x1", "y1")}
    scores = [item["score"] for item in record["evidence"]]
    assert scores == sorted(scores, reverse=True)


def test_a_reader_that_has_seen_enough_is_no_crash(example_read: Path) -> None:
    with subprocess.Popen(
        [MOZI, "evidence", str(example_read), HOW_MANY, "-k", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as ran:
        assert ran.stdout
        assert ran.stderr
        ran.stdout.close()
        assert "Traceback" not in ran.stderr.read()
