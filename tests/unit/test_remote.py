from typing import Any

import pytest

from mozi_engine.errors import ServerError, SettingsError
from mozi_engine.generation import engines
from mozi_engine.generation.remote import Remote
from mozi_engine.types import GenerationSettings, Turn, Usage
from tests.openai_server import OpenAIServer, delta

ASK = [Turn("system", "Be brief."), Turn("user", "图有多大？")]


def _ask(openai: OpenAIServer, **settings: Any) -> list[str | Usage]:
    remote = Remote(openai.url + "/", name="qwen3", key="secret")
    return list(remote.stream(ASK, GenerationSettings(**settings)))


def test_pieces_come_in_order_then_the_tokens_used(openai: OpenAIServer) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    openai.streams(
        {"choices": [{"delta": {"role": "assistant"}}]}, delta("280"), delta("M 个"), usage, "[DONE]"
    )
    assert _ask(openai) == ["280", "M 个", Usage(7, 2)]


def test_the_request_is_openais(openai: OpenAIServer) -> None:
    openai.streams("[DONE]")
    _ask(openai, temperature=0.7, top_p=0.9, top_k=20, seed=3, max_new_tokens=50)
    path, headers, sent = openai.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert sent["messages"][1] == {"role": "user", "content": "图有多大？"}
    wanted = {"model": "qwen3", "temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 3, "max_tokens": 50}
    assert wanted.items() <= sent.items()


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (401, b'{"error": {"message": "bad key"}}', "401: bad key", "MOZI_API_KEY"),
        (404, b'{"error": {"message": "no model"}}', "404: no model", "--model"),
        (500, b"<html>oops</html>", "500: <html>oops</html>", ""),
        (503, b'["busy"]', '503: ["busy"]', ""),
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    openai: OpenAIServer, status: int, body: bytes, said: str, hint: str
) -> None:
    openai.status, openai.body = status, body
    with pytest.raises(ServerError) as caught:
        _ask(openai)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "event",
    [
        "not json",
        "[]",
        '{"choices": "x"}',
        '{"choices": [{"delta": []}]}',
        '{"choices": [], "usage": {"a": 1}}',
    ],
)
def test_an_answer_in_another_form_is_an_error_and_no_traceback(openai: OpenAIServer, event: str) -> None:
    openai.streams(event)
    with pytest.raises(ServerError, match="not in OpenAI's form"):
        _ask(openai)


def test_an_error_in_the_middle_of_a_stream_is_told(openai: OpenAIServer) -> None:
    openai.streams(delta("a"), {"error": {"message": "out of memory"}})
    with pytest.raises(ServerError, match="out of memory"):
        _ask(openai)


@pytest.mark.parametrize("error", ["out of memory", {"message": "out of memory"}])
def test_an_error_is_told_whichever_way_the_server_writes_it(openai: OpenAIServer, error: object) -> None:
    openai.streams({"error": error})
    with pytest.raises(ServerError, match="stopped: out of memory"):
        _ask(openai)


def test_keys_that_hold_nothing_are_as_good_as_absent(openai: OpenAIServer) -> None:
    openai.streams({"error": None, "choices": [{"delta": None}]}, {"choices": None}, delta("a"), "[DONE]")
    assert _ask(openai) == ["a"]


def test_a_page_that_is_no_server_of_answers_is_not_an_empty_answer(openai: OpenAIServer) -> None:
    openai.body = b"<html>hello</html>"
    with pytest.raises(ServerError, match="does not stream answers") as caught:
        _ask(openai)
    assert "--base-url" in caught.value.hint


def test_what_the_environment_gives_is_checked(openai: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="key"):
        list(Remote(openai.url, name="x", key="ключ").stream(ASK, GenerationSettings()))
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(SettingsError, match="proxy"):
        list(Remote(openai.url, name="x").stream(ASK, GenerationSettings()))


def test_a_stream_that_just_ends_is_not_taken_for_a_whole_answer(openai: OpenAIServer) -> None:
    openai.breaks_off_after("More than")
    with pytest.raises(ServerError, match="broke off in the middle") as caught:
        _ask(openai)
    assert caught.value.hint


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/v1", "nonsense", "http://[/v1"])
def test_a_server_that_is_not_there_is_named(address: str) -> None:
    with pytest.raises(ServerError, match="no answer from") as caught:
        list(Remote(address, name="x").stream(ASK, GenerationSettings()))
    assert "--base-url" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("https://api.openai.com/v1", "theirs"),
        ("http://127.0.0.1:11434/v1", ""),
        ("https://api.openai.com.x/v1", ""),
    ],
)
def test_openais_key_is_shown_to_openai_only(
    monkeypatch: pytest.MonkeyPatch, address: str, sent: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs\n")
    assert engines.key(address) == sent
    monkeypatch.setenv("MOZI_API_KEY", "mine")
    assert engines.key(address) == "mine"


@pytest.mark.parametrize("status", [200, 404, 500])
def test_whoever_answers_a_look_is_there(openai: OpenAIServer, status: int) -> None:
    openai.status = status
    Remote(openai.url, name="qwen3").look()
    assert openai.requests == []  # nothing was asked


@pytest.mark.parametrize(("status", "hint"), [(401, "MOZI_API_KEY"), (503, "log")])
def test_a_look_tells_who_does_not_let_one_in(openai: OpenAIServer, status: int, hint: str) -> None:
    openai.status = status
    with pytest.raises(ServerError, match=str(status)) as refused:
        Remote(openai.url, name="qwen3").look()
    assert hint in refused.value.hint


def test_a_look_tells_that_nobody_is_there() -> None:
    with pytest.raises(ServerError, match="no answer from") as refused:
        Remote("http://127.0.0.1:9/v1", name="qwen3").look()
    assert "--base-url" in refused.value.hint
