"""Generation by llama.cpp, in this process: a GGUF file, no GPU needed."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

# A thread of llama.cpp that waits for another spins, unless told not to before OpenMP is loaded. On a
# machine that also does something else, spinning makes generation several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import xllamacpp

from mozi_engine.errors import ModelError
from mozi_engine.types import GenerationSettings, Prefill, Turn, Usage

# The prompt is read in batches of this many tokens; between two of them a question can be cancelled
# and progress is told. Larger batches are no faster on a CPU (21.1 tokens/s at 512, 21.9 at 128).
BATCH = 128

# A second thread waits in the callback's stead; None in its queue means the stream has ended.
_Queue = queue.SimpleQueue["str | None"]


class LlamaCpp:
    """A GGUF model, loaded. Streams one reply at a time; a second one waits for the first."""

    def __init__(self, path: Path, *, name: str, context: int, threads: int = 0) -> None:
        """Load the model: seconds, and memory of about the file's size and the context's state.

        `context` is in tokens; `threads` of 0 takes one a physical core. Raises ModelError.
        """
        self.name = name
        self._server = _serve(path, context, threads or psutil.cpu_count(logical=False) or 1)

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Iterator[str | Prefill | Usage]:
        """Progress of the prompt, then pieces of the reply, then the tokens used.

        What the prompt has in common with the one before it is not read again. Raises ModelError
        when the prompt does not fit the context.
        """
        chunks: _Queue = queue.SimpleQueue()
        stop = threading.Event()
        worker = threading.Thread(
            target=self._complete, args=(_request(messages, settings), chunks, stop), daemon=True
        )
        worker.start()
        try:
            while (chunk := chunks.get()) is not None:
                yield from _parse(chunk)
        finally:
            # Set before the first token, it takes effect at the end of the batch being read.
            stop.set()

    def _complete(self, request: str, chunks: _Queue, stop: threading.Event) -> None:
        def on_chunk(chunk: str) -> bool:
            chunks.put(chunk)
            return stop.is_set()

        try:
            self._server.handle_chat_completions(request, on_chunk)
        except Exception as error:  # noqa: BLE001  the thread's edge: the reader of the queue raises it
            chunks.put(json.dumps({"error": {"message": str(error)}}))
        finally:
            chunks.put(None)


def _serve(path: Path, context: int, threads: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # one conversation at a time: its own state is cache enough
    params.warmup = False
    params.verbosity = -1
    # xllamacpp opens a port on loopback that mozi does not use: no one else shall either.
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(
            f"llama.cpp cannot load {path.name}",
            hint="`mozi doctor` checks the file and the memory; a smaller context needs less",
        ) from error


def _request(messages: Sequence[Turn], settings: GenerationSettings) -> str:
    return json.dumps(
        {
            "messages": [{"role": turn.role, "content": turn.text} for turn in messages],
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": settings.top_k,
            "seed": settings.seed,
            "max_tokens": settings.max_new_tokens,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,
            "stream_options": {"include_usage": True},
        }
    )


def _parse(chunk: str) -> Iterator[str | Prefill | Usage]:
    event = json.loads(chunk)
    if error := event.get("error"):
        hint = "ask with fewer passages (-k), or raise `context` in settings.toml"
        raise ModelError(f"the model stopped: {error['message']}", hint=hint)
    if progress := event.get("prompt_progress"):
        yield Prefill(done=progress["processed"], total=progress["total"], cached=progress["cache"])
    for choice in event["choices"]:
        if text := choice["delta"].get("content"):
            yield text
    if usage := event.get("usage"):
        yield Usage(usage["prompt_tokens"], usage["completion_tokens"])
