"""A small real server that speaks OpenAI's streamed chat API."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from typing import Any


class OpenAIServer:
    """Answers with `replies` in turn, then always with `status` and `body`; remembers what it was sent.

    It lists no models, as some servers do not, unless `status` is another than 200. `hung_up` is set when a client has left before its reply was whole.
    """

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.replies: list[Iterable[bytes]] = []
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.hung_up = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def streams(self, *events: object) -> None:
        """From now on, every reply is these events."""
        self.body = b"".join(map(_event, events))

    def says(self, *texts: str) -> None:
        """The next replies, a text each, streamed word by word with the tokens used."""
        self.replies += [_spoken(text) for text in texts]

    def says_without_end(self, word: str) -> None:
        """The next reply is this word again and again, until the client hangs up."""
        self.replies.append(_slowly(repeat(_event(delta(f"{word} ")))))

    def breaks_off_after(self, text: str) -> None:
        """The next reply stops after this text: no finish, no [DONE]."""
        self.replies.append([_event(delta(text))])

    def prompts(self) -> list[str]:
        """The last message of every request."""
        return [sent["messages"][-1]["content"] for _, _, sent in self.requests]


@contextmanager
def running() -> Iterator[OpenAIServer]:
    """A server on a free port of this machine."""
    server = OpenAIServer()
    threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()


def delta(text: str) -> dict[str, Any]:
    """The event that carries a piece of the reply."""
    return {"choices": [{"delta": {"content": text}}]}


def _spoken(text: str) -> list[bytes]:
    words = text.split(" ")
    pieces = [words[0], *(f" {word}" for word in words[1:])]
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(words)}}
    finish = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    return [_event(event) for event in (*map(delta, pieces), finish, usage, "[DONE]")]


def _event(event: object) -> bytes:
    return f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()


def _slowly(events: Iterable[bytes]) -> Iterator[bytes]:
    for event in events:
        yield event
        time.sleep(0.02)


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append((self.path, dict(self.headers), sent))
            self.send_response(server.status)
            self.end_headers()
            try:
                for event in server.replies.pop(0) if server.replies else [server.body]:
                    self.wfile.write(event)
            except ConnectionError:
                server.hung_up.set()

        def do_GET(self) -> None:
            self.send_response(404 if server.status == 200 else server.status)
            self.end_headers()
            self.wfile.write(server.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
