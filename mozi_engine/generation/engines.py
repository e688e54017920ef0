"""The engine that the settings ask for, loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

import psutil

from mozi_engine import files, prompts, states
from mozi_engine.errors import ModelError, SettingsError
from mozi_engine.models import catalog, gguf
from mozi_engine.models.catalog import ModelSpec
from mozi_engine.settings import Settings
from mozi_engine.types import Briefed, Generator, Prefill, Turn

if TYPE_CHECKING:
    from mozi_engine.generation.loading import Precision

_LEAST = 2048  # tokens of context: a few passages, a question and its answer


def load(settings: Settings) -> Generator:
    """A generator ready to stream; seconds for a local model. Never downloads.

    Raises SettingsError for a remote engine without an address, ModelError for a model that is not on
    the disk or does not load.
    """
    if settings.engine == "remote":
        return _remote(settings)
    if settings.engine == "torch":
        return _torch(settings)
    spec = catalog.find(settings.model)
    if not catalog.ready(spec):
        raise ModelError(f"{spec.name} is not on this machine", hint=f"mozi models pull {spec.name}")
    # Here, so that a remote engine runs where llama.cpp does not, and the other way round.
    from mozi_engine.generation.llamacpp import LlamaCpp

    path = catalog.path(spec)
    adapter = _lora(settings.adapter) if settings.adapter else None
    free = psutil.virtual_memory().available - path.stat().st_size
    model = LlamaCpp(
        path,
        name=f"{spec.name} with {adapter.stem}" if adapter else spec.name,
        digest=f"{digest(spec)} {_written(adapter) if adapter else 'alone'}",
        adapter=adapter,
        context=affordable(min(settings.context, spec.context), gguf.state_bytes(path), free),
        threads=settings.threads,
        states=states.folder(),
    )
    # The instructions alone are seconds of a first question, spent while the paper is being opened.
    brief(model, prompts.render_opening(""), settings.states_gigabytes)
    return model


def brief(
    model: Generator, opening: Sequence[Turn], gigabytes: float, held: Callable[[], bool] = lambda: False
) -> bool:
    """Have the model know what prompts from a paper's passages begin with: read once, remembered.

    Returns whether it knows all of it: `held` ends the reading as in `Remembering.read`, and the next call
    goes on from there. `gigabytes` is what the states on the disk may take. Where the model keeps no such
    state, there is nothing to know. Raises ModelError.
    """
    if not isinstance(model, Briefed):
        return True
    name = states.key(model.identity, *(turn.text for turn in opening))
    if states.find(name):
        try:
            model.restore_brief(states.file(name).name, opening)
        except ModelError:
            states.remove(name)
        else:
            return True
    with closing(model.brief(opening, held)) as pieces:
        *_, reached = Prefill(0, 1, 0), *pieces
    if reached.done < reached.total:
        return False
    states.keep(name, model.save_brief, reached.done, reached.total, int(gigabytes * 1e9))
    return True


def load_apart(settings: Settings) -> Generator:
    """The same, but a local model in a process of its own, so that other threads go on while it loads."""
    if settings.engine == "remote" or sys.platform == "win32":
        return load(settings)
    from mozi_engine.generation.apart import Apart, BriefedApart

    return Apart(settings) if settings.engine == "torch" else BriefedApart(settings)


def affordable(context: int, token_bytes: int, free_bytes: int) -> int:
    """As much of the context, in tokens, as its state finds memory for; counted before it is taken.

    Raises ModelError when that is too little to answer from.
    """
    tokens = min(context, max(free_bytes, 0) // token_bytes) if token_bytes else context
    if tokens < min(context, _LEAST):
        short = files.size(_LEAST * token_bytes - free_bytes)
        raise ModelError(
            f"the model needs {short} more memory than is free",
            hint="close other programs, or take a smaller model: mozi models list",
        )
    return tokens


def digest(spec: ModelSpec) -> str:
    """What tells the model's file from any other: its sha256, or where it lies and when it was written.

    A file that is only named by its path has no sha256, and hashing gigabytes at every start would cost
    seconds; but what one file remembers of a paper must not be taken for another's.
    """
    if spec.sha256:
        return spec.sha256
    return _written(catalog.path(spec))


def _written(path: Path) -> str:
    written = path.stat()
    return f"{path} {written.st_size} {written.st_mtime_ns}"


def _lora(named: str) -> Path:
    """The file of an adapter that llama.cpp puts on a model. Raises ModelError when it is none."""
    path = files.expanded(named).absolute()
    if path.suffix != ".gguf":
        hint = f"--engine torch takes it as it is; mozi export gguf {named} makes a .gguf of it"
        raise ModelError(f"llama.cpp takes an adapter as a .gguf file, not {named}", hint=hint)
    if not path.is_file():
        raise ModelError(f"no such file: {path}", hint="mozi export gguf makes one from a training's run")
    return path


def _torch(settings: Settings) -> Generator:
    """A transformers model: the settings' own; where they name none, that which the adapter was made on."""
    if absent := [name for name in ("torch", "transformers", "peft") if not find_spec(name)]:
        raise ModelError(f"the torch engine needs {', '.join(absent)}", hint="pip install 'mozi[train]'")
    from mozi_engine.generation import loading
    from mozi_engine.generation.huggingface import HuggingFace

    adapter = loading.adapter(files.expanded(settings.adapter)) if settings.adapter else None
    default = settings.model == Settings().model
    if default and not adapter:
        raise SettingsError(
            f"{settings.model} is a GGUF file, which the torch engine does not read",
            hint="--model FOLDER names a transformers model, --adapter RUN a training's",
        )
    folder = adapter or Path(settings.model)
    return HuggingFace(
        loading.base(adapter) if default and adapter else files.expanded(settings.model),
        name=(folder.parent if folder.name == "adapter" else folder).name,  # the run's
        context=settings.context,
        states=states.folder(),
        adapter=adapter,
        precision=cast("Precision", settings.precision),
        threads=settings.threads,
    )


def _remote(settings: Settings) -> Generator:
    from mozi_engine.generation.remote import Remote

    if not settings.base_url:
        raise SettingsError(
            "the remote engine needs an address", hint="--base-url http://127.0.0.1:11434/v1, for Ollama"
        )
    return Remote(settings.base_url, name=settings.model, key=key(settings.base_url))


def key(base_url: str) -> str:
    """The key for that server, from the environment; "" for none. OpenAI's own is shown to OpenAI only."""
    own = os.environ.get("OPENAI_API_KEY", "") if base_url.startswith("https://api.openai.com/") else ""
    return (os.environ.get("MOZI_API_KEY") or own).strip()
