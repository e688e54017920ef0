"""Generation by llama.cpp, in this process: a GGUF file, no GPU needed."""

from __future__ import annotations

import json
import os
import queue
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx

from mozi_engine.errors import ModelError
from mozi_engine.machine import cores
from mozi_engine.prompts import begins
from mozi_engine.types import GenerationSettings, Prefill, Turn, Usage

# A thread of llama.cpp that waits for another spins, unless told not to before OpenMP is loaded. On a machine
# that also does something else, long spinning makes generation several times slower; but a thread that sleeps
# at once writes a third fewer tokens. The count is some tens of microseconds.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
import xllamacpp

# The prompt is read in batches of this many tokens; between two of them it can be stopped, and progress
# is told. Larger batches are no faster on a CPU (20.3 tokens/s at 128, 20.5 at 64).
BATCH = 64

# Three states share the context: that of the paper, that of questions about single passages, and that of
# whatever else is asked: a question rewritten, a word of support. Full, the first is forgotten first.
_ELSE, _PASSAGES, _PAPER = 0, 1, 2

_LISTED = 4096  # the likeliest tokens
_VISIBLE = "root ::= [ -~]+"  # a token that is half a character, or an end, is not told of

_END = "\n\n\u241c"  # what no paper says: where a beginning ends in the rendered prompt

_AGAIN = "start mozi again; `mozi doctor` looks at memory and model"
_Queue = queue.SimpleQueue["str | None"]  # None: the stream has ended
_STREAMED = {
    "stream": True,
    "cache_prompt": True,
    "return_progress": True,
    "stream_options": {"include_usage": True},
}


class LlamaCpp:
    """A GGUF model, loaded. Keeps types.Remembering, types.Briefed and types.Anticipating."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        context: int,
        states: Path,
        digest: str = "",
        adapter: Path | None = None,
        threads: int = 0,
    ) -> None:
        """Load the model: seconds, and memory of about the file's size and the context's state.

        `digest` tells the model's file, and the adapter's (a LoRA GGUF on this model), from any other;
        `context` is in tokens; `threads` of 0 takes one a physical core; `states` is the folder that `save`
        and `restore` use. Raises ModelError.
        """
        self.name = name
        self.context = context
        self.states = states
        self.identity = f"{name} {digest} xllamacpp {xllamacpp.__version__} f16 plain"
        key = secrets.token_urlsafe(32)
        self._server = _serve(path, adapter, context, threads or cores(), key, states)
        self._loopback = httpx.Client(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,  # no proxy between this process and itself
            timeout=None,  # noqa: S113  it answers when the batch under way is done
        )
        self._beginning: Sequence[Turn] = ()  # of prompts about the whole paper
        self._opening: Sequence[Turn] = ()  # of those about its passages

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Generator[str | Prefill | Usage, None, None]:
        """Progress of the prompt, then pieces of the reply, then the tokens used.

        What the prompt has in common with the one before it is not read again. Raises ModelError
        when the prompt does not fit the context.
        """
        request = {
            "messages": _messages(messages),
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": settings.top_k,
            "seed": settings.seed,
            "max_tokens": settings.max_new_tokens,
        }
        return _events(self._server.handle_chat_completions, request, self._slot_of(messages))

    def anticipate(
        self, messages: Sequence[Turn], held: Callable[[], bool]
    ) -> Generator[Prefill, None, None]:
        """Read what a prompt to come begins with, BATCH tokens at a time."""
        return self._read(messages, self._slot_of(messages), held)

    def count_tokens(self, text: str) -> int:
        """How many tokens the text is to this model."""
        return len(self._post("/tokenize", {"content": text})["tokens"])

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> Generator[Prefill, None, None]:
        """Read the beginning of prompts to come, BATCH tokens at a time."""
        self._beginning = tuple(beginning)
        return self._read(beginning, _PAPER, held)

    def save(self, name: str) -> None:
        """Write the state after what was read to `states/name`. Raises ModelError where it is cut short."""
        self._save(_PAPER, name)

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        """Take up `states/name`, written after reading `beginning` or a part of it.

        The other states are forgotten: what lies between makes each step behind the paper slower.
        """
        for slot in (_ELSE, _PASSAGES):
            self._post(f"/slots/{slot}?action=erase", {})
        self._slot(_PAPER, "restore", name)
        self._beginning = tuple(beginning)

    def forget(self) -> bool:
        """Let go of the paper: whatever else shares the context attends to it, in vain."""
        self._post(f"/slots/{_PAPER}?action=erase", {})
        self._beginning = ()
        return True

    def log_probabilities(self, tokens: Sequence[int], *, adapted: bool = True) -> dict[int, float]:
        """In nats, of the likeliest tokens to come after these; not `adapted`: without the adapter."""
        request = {"prompt": list(tokens), "n_predict": 1, "n_probs": _LISTED, "grammar": _VISIBLE}
        # Each in a slot of its own: what was read without the adapter must not be taken for read with it.
        how = {"id_slot": _PASSAGES} if adapted else {"id_slot": _ELSE, "lora": [{"id": 0, "scale": 0.0}]}
        answer = self._post("/completion", request | how)
        (first,) = answer["completion_probabilities"]
        return {each["id"]: each["logprob"] for each in first["top_logprobs"]}

    def brief(self, opening: Sequence[Turn], held: Callable[[], bool]) -> Generator[Prefill, None, None]:
        """Read what prompts about single passages begin with. Saved and restored by the next two."""
        self._opening = tuple(opening)
        return self._read(opening, _PASSAGES, held)

    def save_brief(self, name: str) -> None:
        """Write the state after `brief` to `states/name`. Raises ModelError where it is cut short."""
        self._save(_PASSAGES, name)

    def restore_brief(self, name: str, opening: Sequence[Turn]) -> None:
        """Take up `states/name`, written after `brief` of this opening."""
        self._slot(_PASSAGES, "restore", name)
        self._opening = tuple(opening)

    def _read(
        self, beginning: Sequence[Turn], slot: int, held: Callable[[], bool]
    ) -> Generator[Prefill, None, None]:
        request = {"prompt": self._render(beginning), "n_predict": 0}
        with closing(_events(self._server.handle_completions, request, slot, held)) as events:
            for event in events:
                if isinstance(event, Prefill):
                    yield event

    def _slot_of(self, messages: Sequence[Turn]) -> int:
        if begins(messages, self._beginning):
            return _PAPER
        return _PASSAGES if begins(messages, self._opening) else _ELSE

    def _save(self, slot: int, name: str) -> None:
        written = self._slot(slot, "save", name)["n_written"]
        size = (self.states / name).stat().st_size
        if size != written:  # the disk was full by the time the file was closed, which llama.cpp does not see
            raise ModelError(f"llama.cpp wrote {size} of {written} bytes", hint="free some disk space")

    def _slot(self, slot: int, action: str, name: str) -> Any:
        return self._post(f"/slots/{slot}?action={action}", {"filename": name})

    def _render(self, beginning: Sequence[Turn]) -> str:
        """The prompt's text as far as all prompts that begin so share it."""
        *before, last = beginning
        messages = _messages([*before, Turn(last.role, last.text + _END)])
        prompt: str = self._post("/apply-template", {"messages": messages})["prompt"]
        return prompt.partition(_END)[0]

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = self._loopback.post(path, json=body).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ModelError(f"llama.cpp does not answer: {error}", hint=_AGAIN) from error
        if "error" in answer:
            raise ModelError(f"llama.cpp: {answer['error']['message']}", hint=_AGAIN)
        return answer


def _serve(path: Path, adapter: Path | None, context: int, threads: int, key: str, states: Path) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    if adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter))]
    params.n_ctx = context
    params.n_parallel = 3
    params.kv_unified = True
    params.n_batch = params.n_ubatch = BATCH
    # Flash attention would read a paper a tenth sooner; but an answer behind it would take a third longer.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # the states are kept where they are; copies of them would cost memory
    params.warmup = False
    params.verbosity = -1
    # xllamacpp opens a port on loopback: without the key, no other user of the machine can talk to it.
    params.api_keys = [key]
    params.ui = params.endpoint_props = False
    params.endpoint_slots = True
    with suppress(OSError):  # without the folder, nothing is remembered
        states.mkdir(parents=True, exist_ok=True, mode=0o700)
        params.slot_save_path = f"{states}{os.sep}"
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        with_it = f" with the adapter {adapter.name}" if adapter else ""
        other = "; is the adapter made for this model?" if adapter else ""
        raise ModelError(
            f"llama.cpp cannot load {path.name}{with_it}",
            hint=f"`mozi doctor` checks the file and the memory; a smaller context needs less{other}",
        ) from error


def _messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _events(
    complete: Callable[[str, Callable[[str], bool]], object],
    request: dict[str, Any],
    slot: int,
    held: Callable[[], bool] = lambda: False,
) -> Generator[str | Prefill | Usage, None, None]:
    """Run a completion in a thread, and yield what it says, until it ends or is `held`.

    Closing stops it too, but at the end of the batch after the one just told of, which has begun by then.
    """
    chunks: _Queue = queue.SimpleQueue()
    stop = threading.Event()

    def on_chunk(chunk: str) -> bool:
        chunks.put(chunk)
        return stop.is_set() or held()

    def run() -> None:
        try:
            complete(json.dumps(request | _STREAMED | {"id_slot": slot}), on_chunk)
        except Exception as error:  # noqa: BLE001  the thread's edge: the reader of the queue raises it
            chunks.put(json.dumps({"error": {"message": str(error)}}))
        finally:
            chunks.put(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        while (chunk := chunks.get()) is not None:
            yield from _parse(chunk)
    finally:
        stop.set()


def _parse(chunk: str) -> Iterator[str | Prefill | Usage]:
    event = json.loads(chunk)
    if error := event.get("error"):
        too_long = error.get("type") == "exceed_context_size_error"
        hint = "ask with fewer passages (-k), or raise `context` in settings.toml" if too_long else _AGAIN
        raise ModelError(f"the model stopped: {error['message']}", hint=hint)
    if progress := event.get("prompt_progress"):
        yield Prefill(done=progress["processed"], total=progress["total"], cached=progress["cache"])
    for choice in event.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            yield text
    if usage := event.get("usage"):
        yield Usage(usage["prompt_tokens"], usage["completion_tokens"])
