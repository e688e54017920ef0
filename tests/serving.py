"""The HTTP API on a real port of this machine, with a model of the test's behind it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pymupdf
import uvicorn

from mozi_engine.indexing import Indexed, index
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.serving import server
from mozi_engine.serving.app import Service, application
from mozi_engine.serving.papers import Opened, Papers
from mozi_engine.serving.voices import Voices
from mozi_engine.sessions.conversations import PaperRef
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Turn
from mozi_engine.types import Generator as Model


@dataclass
class Endless:
    """A generator that says a word again and again, and knows when it was closed."""

    name: str = "endless"
    closed: threading.Event = field(default_factory=threading.Event)

    def stream(self, messages: Sequence[Turn], settings: GenerationSettings) -> Generator[str, None, None]:
        try:
            for word in itertools.repeat("endless "):
                yield word
                time.sleep(0.02)
        finally:
            self.closed.set()


def opened(path: Path, settings: Settings, encoder: Encoder, reference: str = "") -> Opened:
    """A paper as `mozi serve PAPER` opens it."""
    *_, last = index(path, settings, encoder)
    assert isinstance(last, Indexed)
    return Opened(PaperRef(last.paper.id, last.paper.title, reference, last.paper.pages), last, 1.0)


def service_of(model: Model, *paths: Path, settings: Settings | None = None) -> Service:
    """What `mozi serve PATH…` serves."""
    settings, encoder = settings or Settings(), Encoder()
    named = [opened(path, settings, encoder, path.name) for path in paths]
    voices = Voices(model, encoder, settings, GenerationSettings())
    return Service(voices, Papers(named), settings, encoder)


@contextmanager
def serving(service: Service, key: str = "", host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    """A client of a server that listens."""
    at = server.bound("127.0.0.1", 0, key)
    running = uvicorn.Server(uvicorn.Config(application(service, key, host), ws="none", log_config=None))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [at]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=server.address(at), timeout=60, trust_env=False) as client:
            yield client
    finally:
        running.should_exit = True
        thread.join()


def told(response: httpx.Response) -> tuple[str, str]:
    """The message and the hint of an error, which has one shape."""
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"message", "hint"}
    assert "Traceback" not in response.text
    return response.json()["error"]["message"], response.json()["error"]["hint"]


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events: their names and data."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def pdf(text: str) -> bytes:
    """A paper of one page that says this."""
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), text)
    written: bytes = document.tobytes()
    return written
