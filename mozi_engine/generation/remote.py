"""Generation by a server that speaks OpenAI's chat API: Ollama, llama-server, vLLM and others."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from mozi_engine import download
from mozi_engine.errors import ServerError
from mozi_engine.types import GenerationSettings, Turn, Usage

_LOOK = httpx.Timeout(5.0)
_AWAY = (401, 403, 502, 503, 504)  # what else is answered to a look says that someone is there
# A local server may be loading its model when the first question comes.
TIMEOUT = httpx.Timeout(10.0, read=300.0)
_ITS_LOG = "the server's own log says more"


class Remote:
    """A model behind `base_url` (such as http://127.0.0.1:11434/v1)."""

    def __init__(self, base_url: str, *, name: str, key: str = "") -> None:
        """`name` is the model's name on the server; `key` is sent as a bearer token where there is one."""
        self.name = name
        self._base = base_url.rstrip("/")
        self._url = f"{self._base}/chat/completions"
        self._key = key

    def look(self) -> None:
        """Return if the server is there and lets one in. Raises as `stream` does."""
        url = f"{self._base}/models"
        with _explained(url), download.client(self._key) as http:
            response = http.get(url, timeout=_LOOK, follow_redirects=False)
            if response.status_code in _AWAY:
                raise _refused(url, response)

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Generator[str | Usage, None, None]:
        """Pieces of the reply as the server sends them, then the tokens used where it tells them.

        Raises ServerError when the server cannot be reached, refuses, or does not answer in the API's form,
        and SettingsError for a key or proxy that cannot be used.
        """
        request = _request(self.name, messages, settings)
        with (
            _explained(self._url),
            download.client(self._key) as http,
            http.stream("POST", self._url, json=request, timeout=TIMEOUT, follow_redirects=False) as response,
        ):
            if response.is_error:
                response.read()
                raise _refused(self._url, response)
            yield from _events(self._url, response.iter_lines())


@contextmanager
def _explained(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ServerError(
            f"no answer from {url}: {reason}",
            hint="is the server running? --base-url names its address, with /v1",
        ) from error


def _request(name: str, messages: Sequence[Turn], settings: GenerationSettings) -> dict[str, Any]:
    request: dict[str, Any] = {
        "model": name,
        "messages": [{"role": turn.role, "content": turn.text} for turn in messages],
        "temperature": settings.temperature,
        "max_tokens": settings.max_new_tokens,
        "seed": settings.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if settings.top_p < 1:
        request["top_p"] = settings.top_p
    if settings.top_k:  # not in OpenAI's API, but in that of every local server
        request["top_k"] = settings.top_k
    return request


def _refused(url: str, response: httpx.Response) -> ServerError:
    hints = {
        401: "set the key in MOZI_API_KEY",
        403: "set the key in MOZI_API_KEY",
        404: "--model must be a name that the server knows, and --base-url usually ends in /v1",
    }
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = response.text.strip()[:200] or response.reason_phrase
    return ServerError(
        f"{url} answered {response.status_code}: {message}", hint=hints.get(response.status_code, _ITS_LOG)
    )


def _events(url: str, lines: Iterable[str]) -> Iterator[str | Usage]:
    """What the lines say until [DONE]. A stream that ends without it was cut, whatever HTTP makes of it."""
    spoken = False
    for line in lines:
        if line.startswith("data:"):
            if (data := line[5:].strip()) == "[DONE]":
                return
            spoken = True
            yield from _parse(data)
    if not spoken:
        raise ServerError(f"what is at {url} does not stream answers", hint="check --base-url")
    raise ServerError(f"{url} broke off in the middle of its answer", hint=_ITS_LOG)


def _parse(data: str) -> Iterator[str | Usage]:
    try:
        event = json.loads(data)
        if error := event.get("error"):
            message = error.get("message", error) if isinstance(error, dict) else error
            raise ServerError(f"the server stopped: {message}", hint=_ITS_LOG)
        for choice in event.get("choices") or ():
            delta = choice.get("delta")
            if delta is not None and (text := delta.get("content")):
                yield text
        if usage := event.get("usage"):
            yield Usage(usage["prompt_tokens"], usage["completion_tokens"])
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ServerError(
            f"the server's answer is not in OpenAI's form: {data[:80]}", hint="check --base-url"
        ) from problem
