import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mozi_engine.errors import ServerError
from mozi_engine.generation.remote import Remote
from mozi_engine.types import GenerationSettings, Turn, Usage

ASK = [Turn("system", "Be brief."), Turn("user", "图有多大？")]


class Server:
    """A server that answers every request with `status` and `body`, and remembers what it was sent."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), sent))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def streams(self, *events: object) -> None:
        lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
        self.body = "".join(lines).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def _delta(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}}]}


def _ask(server: Server, **settings: Any) -> list[str | Usage]:
    remote = Remote(server.url + "/", name="qwen3", key="secret")
    return list(remote.stream(ASK, GenerationSettings(**settings)))


def test_pieces_come_in_order_then_the_tokens_used(server: Server) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    server.streams(
        {"choices": [{"delta": {"role": "assistant"}}]}, _delta("280"), _delta("M 个"), usage, "[DONE]"
    )
    assert _ask(server) == ["280", "M 个", Usage(7, 2)]


def test_the_request_is_openais(server: Server) -> None:
    server.streams("[DONE]")
    _ask(server, temperature=0.7, top_p=0.9, top_k=20, seed=3, max_new_tokens=50)
    path, headers, sent = server.requests[0]
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
    server: Server, status: int, body: bytes, said: str, hint: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(ServerError) as caught:
        _ask(server)
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
def test_an_answer_in_another_form_is_an_error_and_no_traceback(server: Server, event: str) -> None:
    server.streams(event)
    with pytest.raises(ServerError, match="not in OpenAI's form"):
        _ask(server)


def test_an_error_in_the_middle_of_a_stream_is_told(server: Server) -> None:
    server.streams(_delta("a"), {"error": {"message": "out of memory"}})
    with pytest.raises(ServerError, match="out of memory"):
        _ask(server)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/v1", "nonsense", "http://[/v1"])
def test_a_server_that_is_not_there_is_named(address: str) -> None:
    with pytest.raises(ServerError, match="no answer from") as caught:
        list(Remote(address, name="x").stream(ASK, GenerationSettings()))
    assert "--base-url" in caught.value.hint
