"""The HTTP API over real HTTP: a real paper, and a scripted model or a small server in its place."""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pymupdf
import pytest

from mozi_engine.generation.remote import Remote
from mozi_engine.serving import app
from mozi_engine.settings import Settings
from tests.command import mozi
from tests.conftest import Scripted
from tests.openai_server import OpenAIServer
from tests.serving import Endless, events, pdf, service_of, serving, told

HOW_MANY = "How many author nodes does the literature graph have?"
AUTHORS = "The literature graph has 12M nodes of this type."
STREAM = {"Accept": "text/event-stream"}
REPLY = "Being rejected stings. Which part hurts most?"
ALARM = "I want to die"


@pytest.fixture
def model() -> Scripted:
    return Scripted([])


@pytest.fixture
def client(model: Scripted, example_read: Path) -> Iterator[httpx.Client]:
    with serving(service_of(model, example_read)) as client:
        yield client


def ask(client: httpx.Client, **given: object) -> dict[str, Any]:
    response = client.post("/ask", json={"question": HOW_MANY} | given)
    assert response.status_code == 200, response.text
    record: dict[str, Any] = response.json()
    return record


def test_it_says_what_it_is_without_html(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/plain")
    assert f"curl {client.base_url}/ask -d" in response.text
    assert "<" not in response.text
    for path in (
        "papers",
        "ask",
        "evidence",
        "companion",
        "health",
        "paper_ground_dialog",
        "emotional_dialog",
    ):
        assert f"/{path}" in response.text


def test_health_tells_the_model_the_papers_and_the_line(client: httpx.Client) -> None:
    told = client.get("/health").json()
    assert {"status": "ok", "model": "scripted", "papers": 1, "waiting": 0}.items() <= told.items()


def test_an_answer_is_the_record_of_mozi_chat_json(example_read: Path, openai: OpenAIServer) -> None:
    openai.says(AUTHORS, AUTHORS)
    engine = ("--engine", "remote", "--base-url", openai.url, "--model", "qwen3")
    chatted = json.loads(mozi("chat", example_read, *engine, "--json", "-a", HOW_MANY).stdout)
    settings = Settings(engine="remote", base_url=openai.url)
    with serving(service_of(Remote(openai.url, name="qwen3"), example_read, settings=settings)) as client:
        answered = ask(client)
    assert set(answered.pop("timings")) == set(chatted.pop("timings"))
    assert answered == chatted
    assert answered["citations"][0]["quote"] == AUTHORS


def test_a_paper_is_named_by_its_sha256_or_as_at_the_start(
    client: httpx.Client, model: Scripted, example_read: Path
) -> None:
    (paper,) = client.get("/papers").json()["papers"]
    assert paper["sha256"] == hashlib.sha256(example_read.read_bytes()).hexdigest()
    assert (paper["reference"], paper["pages"]) == (example_read.name, 8)
    for name in (paper["sha256"], example_read.name, ""):
        model.replies.append(AUTHORS)
        assert ask(client, paper=name)["verdict"] == "answered"


def test_events_are_told_as_they_happen(client: httpx.Client, model: Scripted) -> None:
    model.replies.append(AUTHORS)
    with client.stream("POST", "/ask", json={"question": HOW_MANY}, headers=STREAM) as response:
        assert response.headers["content-type"] == "text/event-stream"
        happened = list(events(response.iter_lines()))
    names = [name for name, _ in happened]
    assert names[:2] == ["evidence", "prefill"]
    assert set(names[2:-1]) == {"token"}
    assert names[-1] == "done"
    assert happened[0][1]["evidence"][0]["page"] == 2
    assert happened[1][1] == {"done": 10, "total": 10, "cached": 0}
    assert "".join(data["text"] for name, data in happened if name == "token").strip() == AUTHORS
    assert happened[-1][1]["answer"] == AUTHORS


def test_a_follow_up_is_understood_by_the_history_that_the_client_sends(
    client: httpx.Client, model: Scripted
) -> None:
    rewritten = "How many paper nodes does the literature graph have?"
    model.replies += [rewritten, "Not in the paper."]
    history = [{"role": "user", "content": HOW_MANY}, {"role": "assistant", "content": AUTHORS}]
    asked = {"question": "and those of papers?", "history": history}
    with client.stream("POST", "/ask", json=asked, headers=STREAM) as response:
        happened = list(events(response.iter_lines()))
    assert happened[0] == ("searching", {"query": rewritten})
    assert happened[-1][1]["question"] == "and those of papers?"
    assert AUTHORS in model.prompts[0][-1].text


def test_evidence_asks_no_model(client: httpx.Client, model: Scripted) -> None:
    found = client.post("/evidence", json={"question": HOW_MANY, "passages": 3}).json()
    assert found["question"] == HOW_MANY
    assert len(found["evidence"]) == 3
    assert AUTHORS in found["evidence"][0]["text"]
    assert not model.prompts


def test_a_pdf_that_is_sent_is_read_asked_and_not_kept(
    client: httpx.Client, model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "sent"))
    (tmp_path / "sent").mkdir()
    body = pdf("The tapir corpus has 41 documents.")
    response = client.post("/papers", content=body)
    assert response.status_code == 201
    paper = response.json()
    assert paper["sha256"] == hashlib.sha256(body).hexdigest()
    assert [p["sha256"] for p in client.get("/papers").json()["papers"]][-1] == paper["sha256"]
    model.replies.append("The tapir corpus has 41 documents.")
    record = ask(client, question="How many documents has the tapir corpus?", paper=paper["sha256"])
    assert record["citations"][0]["quote"] == "The tapir corpus has 41 documents."
    assert not any((tmp_path / "sent").iterdir())
    assert told(client.post("/ask", json={"question": HOW_MANY}))[0] == "which paper? 2 are open"


def test_reading_a_paper_is_told_as_it_happens(client: httpx.Client) -> None:
    body = pdf("The tapir corpus has 41 documents.")
    with client.stream("POST", "/papers", content=body, headers=STREAM) as response:
        happened = list(events(response.iter_lines()))
    assert happened[0][0] == "progress"
    assert happened[-1][0] == "done"
    assert happened[-1][1]["pages"] == 1


def test_a_pdf_with_a_password_says_in_which_header_to_send_it(client: httpx.Client) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), AUTHORS)
    locked = document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="owner")
    refused = client.post("/papers", content=locked)
    assert refused.status_code == 422
    assert "x-pdf-password" in told(refused)[1]
    assert client.post("/papers", content=locked, headers={"X-Pdf-Password": "sesame"}).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/ask", b"{", 400, "not JSON"),
        ("/ask", b"[" * 100_000, 400, "not JSON"),
        ("/ask", b"\xff", 400, "not JSON"),
        ("/ask", b"[]", 400, "not a JSON object"),
        ("/ask", b"{}", 400, "`question` is missing"),
        ("/ask", b'{"question": 3}', 400, "`question` is not a text"),
        ("/ask", b'{"question": "\\ud800"}', 400, "not Unicode"),
        ("/ask", b'{"question": " "}', 400, "the question is empty"),
        ("/ask", json.dumps({"question": "why " * 600}).encode(), 400, "the limit is 2,000"),
        ("/ask", b'{"question": "Why?", "qestion": 1}', 400, "unknown: 'qestion'"),
        ("/ask", b'{"question": "Why?", "history": "x"}', 400, "`history` is not a list"),
        ("/ask", b'{"question": "Why?", "history": ["x"]}', 400, "`history[0]` is not a turn"),
        (
            "/ask",
            b'{"question": "Why?", "history": [{"role": "system", "content": ""}]}',
            400,
            "`history[0]`",
        ),
        ("/ask", b'{"question": "Why?", "paper": "0123"}', 404, "no such paper"),
        ("/ask", b'{"question": "' + b"x" * 1_000_000 + b'"}', 413, "larger than 1.0 MB"),
        ("/evidence", b'{"question": "Why?", "passages": 0}', 400, "out of range"),
        ("/evidence", b'{"question": "Why?", "passages": true}', 400, "not a whole number"),
        ("/companion", b'{"message": ""}', 400, "the message is empty"),
        ("/companion", b'{"message": "hi", "locale": "nowhere"}', 400, "names no country"),
        ("/companion", b'{"message": "hi", "paper": "0123"}', 404, "no such paper"),
        ("/papers", b"", 415, "the body is empty"),
        ("/papers", b"<html></html>", 415, "not a PDF"),
        ("/papers", b"%PDF-1.7 and nothing more", 422, "paper.pdf"),
        ("/paper_ground_dialog", b'{"question": "Why?"}', 400, "`evidences` is not a list"),
        ("/emotional_dialog", b'{"history": []}', 400, "not the person's"),
        ("/emotional_dialog", b'{"history": ["Human: hi", "Bot: hello"]}', 400, "not the person's"),
        ("/emotional_dialog", b'{"history": ["hi"], "decoding_method": "contrastive"}', 400, "torch engine"),
        ("/nowhere", b"", 404, "not found"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_shape(
    client: httpx.Client, model: Scripted, path: str, body: bytes, status: int, message: str
) -> None:
    response = client.post(path, content=body)
    assert (response.status_code, message in told(response)[0]) == (status, True), response.text
    assert told(response)[1]
    assert not model.prompts


def test_a_wrong_method_names_the_right_one(client: httpx.Client) -> None:
    response = client.get("/ask")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    told(response)


def test_a_pdf_larger_than_the_settings_allow_is_refused(model: Scripted) -> None:
    with serving(service_of(model, settings=Settings(download_megabytes=1))) as client:
        body = b"%PDF" + b" " * 1_000_000
        assert client.post("/papers", content=body).status_code == 413
        chunked = client.post("/papers", content=(body[at : at + 1000] for at in range(0, len(body), 1000)))
        assert chunked.status_code == 413
        assert "larger than 1.0 MB" in told(chunked)[0]


def test_a_client_that_leaves_stops_the_answer_and_the_next_is_served(example_read: Path) -> None:
    endless = Endless()
    with serving(service_of(endless, example_read)) as client:
        _leave_after(client, 1)
        assert endless.closed.wait(30)
        endless.closed.clear()
        with client.stream("POST", "/ask", json={"question": HOW_MANY}, headers=STREAM) as response:
            assert next(name for name, _ in events(response.iter_lines()) if name == "token")
        assert endless.closed.wait(30)


def test_one_is_answered_at_a_time_some_wait_and_the_others_are_sent_away(
    example_read: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_WAITING", 1)
    endless = Endless()
    with serving(service_of(endless, example_read)) as client:
        with client.stream("POST", "/ask", json={"question": HOW_MANY}, headers=STREAM) as first:
            lines = events(first.iter_lines())
            next(lines)
            waiting = threading.Thread(target=_leave_after, args=(client, 3))
            waiting.start()
            while client.get("/health").json()["waiting"] < 1:
                pass
            busy = client.post("/ask", json={"question": HOW_MANY})
            assert busy.status_code == 503
            assert int(busy.headers["retry-after"]) > 0
            assert told(busy)[0] == "1 wait already"
            assert client.post("/evidence", json={"question": HOW_MANY}).status_code == 200
            # Whoever is in danger waits for nobody.
            helped = client.post("/companion", json={"message": ALARM, "locale": "IE"}).json()
            assert "116 123" in helped["reply"]
            assert not endless.closed.is_set()
        waiting.join()


def test_a_server_that_runs_the_model_is_sent_four_at_a_time(
    example_read: Path, openai: OpenAIServer
) -> None:
    for _ in range(4):
        openai.says_without_end("endless")
    settings = Settings(engine="remote", base_url=openai.url)
    model = Remote(openai.url, name="qwen3")
    with serving(service_of(model, example_read, settings=settings)) as client, ExitStack() as asking:
        answers = []
        for _ in range(4):
            asked = client.stream("POST", "/ask", json={"question": HOW_MANY}, headers=STREAM)
            answers.append(events(asking.enter_context(asked).iter_lines()))
            assert next(name for name, _ in answers[-1] if name == "token")
        assert not openai.hung_up.is_set()
        assert client.get("/health").json()["waiting"] == 0
        _leave_after(client, 1)
        assert len(openai.requests) == 4


def _leave_after(client: httpx.Client, seconds: float) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.post("/ask", json={"question": HOW_MANY}, timeout=seconds)


def test_a_model_that_fails_is_an_error_before_the_answer_and_an_event_within(
    example_read: Path, openai: OpenAIServer
) -> None:
    settings = Settings(engine="remote", base_url=openai.url)
    with serving(service_of(Remote(openai.url, name="qwen3"), example_read, settings=settings)) as client:
        openai.breaks_off_after("The graph")
        failed = client.post("/ask", json={"question": HOW_MANY})
        assert failed.status_code == 502
        assert "broke off" in told(failed)[0]
        openai.breaks_off_after("The graph")
        with client.stream("POST", "/ask", json={"question": HOW_MANY}, headers=STREAM) as response:
            *_, (name, data) = events(response.iter_lines())
        assert name == "error"
        assert "broke off" in data["error"]["message"]


def test_a_bug_is_told_without_its_traceback(client: httpx.Client) -> None:
    response = client.post("/ask", json={"question": HOW_MANY})  # the script has no reply left
    assert response.status_code == 500
    assert told(response)[0] == "mozi failed"


def test_it_replies_to_someone_who_has_a_hard_time(client: httpx.Client, model: Scripted) -> None:
    model.replies += [REPLY, "It is a lot."]
    first = client.post("/companion", json={"message": "My paper was rejected", "locale": "en-GB"}).json()
    assert first["reply"] == REPLY
    assert "not a person, and not a clinician" in first["introduction"]
    assert {"strategy", "reason", "risk", "evidence", "model", "timings"} <= set(first)
    history = [
        {"role": "user", "content": "My paper was rejected"},
        {"role": "assistant", "content": first["reply"]},
    ]
    second = client.post("/companion", json={"message": "all of it", "history": history}).json()
    assert (second["reply"], second["introduction"]) == ("It is a lot.", "")
    assert any(turn.text == REPLY for turn in model.prompts[1])


def test_the_companion_brings_in_the_paper_that_is_named(client: httpx.Client, model: Scripted) -> None:
    model.replies.append(REPLY)
    said = {"message": "the reviewers say my dataset is too small", "paper": "N18-3011.pdf"}
    assert client.post("/companion", json=said).json()["evidence"]


def say(client: httpx.Client, message: str, history: list[tuple[str, str]]) -> dict[str, Any]:
    turns = [{"role": role, "content": content} for role, content in history]
    response = client.post("/companion", json={"message": message, "history": turns, "locale": "IE"})
    record: dict[str, Any] = response.json()
    return record


def long_talk(name: str, exchanges: int = 20) -> list[tuple[str, str]]:
    said = [("user", f"My {name} was rejected"), ("assistant", REPLY)]
    for nth in range(1, exchanges):
        said += [("user", f"{nth} {'and so on ' * 20}"), ("assistant", REPLY)]
    return said


def test_a_long_conversation_is_summarised_once_and_gone_on_from(
    client: httpx.Client, model: Scripted, home: Path
) -> None:
    history = long_talk("thesis")
    model.replies += ["A tapir thesis was rejected.", REPLY]
    assert say(client, "all of it", history)["reply"] == REPLY
    for message in ("every page", "and the figures"):
        history += [("user", "all of it"), ("assistant", REPLY)]
        model.replies.append(REPLY)
        assert say(client, message, history)["reply"] == REPLY
        assert "A tapir thesis was rejected." in model.prompts[-1][0].text
    assert len(model.prompts) == 4
    model.replies += ["Still a tapir thesis.", REPLY]
    say(client, "all of it", long_talk("thesis", 45))
    assert model.prompts[-2][-1].text.startswith("Before: A tapir thesis was rejected.")
    assert "My thesis" not in model.prompts[-2][-1].text
    written = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert b"tapir" not in written


def test_nobody_gets_the_summary_of_another_conversation(client: httpx.Client, model: Scripted) -> None:
    model.replies += ["A thesis was rejected.", REPLY, "A grant was rejected.", REPLY, REPLY, REPLY]
    for name in ("thesis", "grant", "thesis", "grant"):
        say(client, "all of it", long_talk(name))
        assert f"A {name} was rejected." in model.prompts[-1][0].text
    model.replies += ["A cat died.", REPLY]
    edited = [("user", "My cat died"), *long_talk("thesis")[1:]]
    say(client, "all of it", edited)
    assert "thesis" not in model.prompts[-2][-1].text
    assert "A cat died." in model.prompts[-1][0].text


def test_on_risk_no_model_is_asked_until_the_person_has_answered(
    client: httpx.Client, model: Scripted
) -> None:
    first = say(client, ALARM, [])
    assert first["strategy"] == "fixed"
    assert first["risk"]["about"] == "self"
    assert "116 123" in first["reply"]
    history = [("user", ALARM), ("assistant", first["reply"])]
    second = say(client, "what about my deadline", history)
    assert "Yes or no is enough" in second["reply"]
    assert not model.prompts
    history += [("user", "what about my deadline"), ("assistant", second["reply"])]
    third = say(client, "no", history)
    assert third["reply"].startswith("Thank you for answering me")
    model.replies.append(REPLY)
    history += [("user", "no"), ("assistant", third["reply"])]
    assert say(client, "My paper was rejected", history)["reply"] == REPLY


@pytest.mark.parametrize(
    "claimed",
    [[], [("assistant", "Sure.")], [("assistant", "What you"), ("assistant", "Anything else?")]],
)
def test_a_client_cannot_end_the_wait_by_what_it_leaves_out_or_makes_up(
    client: httpx.Client, model: Scripted, claimed: list[tuple[str, str]]
) -> None:
    history = [("user", ALARM), *claimed]
    assert "Yes or no is enough" in say(client, "what about my deadline", history)["reply"]
    assert not model.prompts


def test_what_is_said_leaves_nothing_on_the_disk(client: httpx.Client, model: Scripted, home: Path) -> None:
    model.replies += [REPLY, AUTHORS]
    secret = "my tapir thesis was rejected"
    assert say(client, secret, [])["reply"] == REPLY
    ask(client, question=f"Is it that {secret}?")
    written = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert secret.encode() not in written


def test_the_originals_questions_are_answered_from_the_evidence_that_is_sent(
    client: httpx.Client, model: Scripted
) -> None:
    model.replies.append("the tapir corpus")
    request = {  # as in the original's README
        "decoding_method": "greedy",
        "top_p": 0.7,
        "top_k": 10,
        "penalty_alpha": 0.5,
        "max_new_tokens": 128,
        "evidences": ["We use the tapir corpus.", "It is large."],
        "question": "Which dataset do the author use in this paper?",
    }
    answer = client.post("/paper_ground_dialog", json=request).json()
    assert set(answer) == {"time", "is_succ", "generation"}
    assert (answer["is_succ"], answer["generation"]) == (True, "the tapir corpus")
    assert answer["time"] >= 0
    (prompt,) = model.prompts
    assert "We use the tapir corpus." in prompt[-1].text
    assert prompt[-1].text.endswith("Question: Which dataset do the author use in this paper?")


def test_the_originals_companion_is_screened_like_mozis(client: httpx.Client, model: Scripted) -> None:
    model.replies.append("三个月真不容易。最难受的是哪一刻？")
    history = ["Human: 最近科研压力真的好大啊"]
    answer = client.post("/emotional_dialog", json={"decoding_method": "sampling", "history": history}).json()
    assert set(answer) == {"time", "is_succ", "generation"}
    assert answer["generation"] == "三个月真不容易。最难受的是哪一刻？"
    history = ["Human: 我不想活了"]
    asked = client.post("/emotional_dialog", json={"history": history}).json()["generation"]
    assert "结束自己的生命" in asked
    history += [f"Bot: {asked}", "Human: 论文怎么改"]
    assert (
        "回“是”或“不是”" in client.post("/emotional_dialog", json={"history": history}).json()["generation"]
    )
    assert len(model.prompts) == 1


def test_a_decoding_method_that_is_unknown_did_not_succeed_as_in_the_original(client: httpx.Client) -> None:
    for path, given in (
        ("/emotional_dialog", {"history": ["hi"]}),
        ("/paper_ground_dialog", {"question": "Why?", "evidences": []}),
    ):
        answer = client.post(path, json=given | {"decoding_method": "magic"}).json()
        assert answer == {"time": 0.0, "is_succ": False, "generation": ""}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8011"}, 200),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "evil.example:8011"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000", "Host": "localhost:8011"}, 403),
        ({"Origin": "http://localhost:8011", "Host": "localhost:8011"}, 200),
    ],
)
def test_a_page_on_the_web_cannot_ask_through_a_browser(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    response = client.get("/health", headers=headers)
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers
    if status != 200:
        told(response)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        ("Basic secret", 401),
        ("Bearer sécret", 401),
        ("bearer secret", 200),
        ("Bearer secret", 200),
    ],
)
def test_with_a_key_whoever_has_it_is_let_in(model: Scripted, given: str, status: int) -> None:
    with serving(service_of(model), key="secret") as client:
        headers = {"Authorization": given.encode(), "Host": b"lab.example"}
        response = client.get("/health", headers=headers)
    assert response.status_code == status
    if status == 401:
        assert response.headers["www-authenticate"] == "Bearer"
        assert "secret" not in response.text
