"""The engine that the settings ask for, loaded."""

from __future__ import annotations

import os

from mozi_engine import catalog, states
from mozi_engine.errors import ModelError, SettingsError
from mozi_engine.settings import Settings
from mozi_engine.types import Generator


def load(settings: Settings) -> Generator:
    """A generator ready to stream; seconds for a local model. Never downloads.

    Raises SettingsError for a remote engine without an address, ModelError for a model that is not on
    the disk or does not load.
    """
    if settings.engine == "remote":
        return _remote(settings)
    spec = catalog.find(settings.model)
    if not catalog.ready(spec):
        raise ModelError(f"{spec.name} is not on this machine", hint=f"mozi models pull {spec.name}")
    # Here, so that a remote engine runs where llama.cpp does not, and the other way round.
    from mozi_engine.generation.llamacpp import LlamaCpp

    return LlamaCpp(
        catalog.path(spec),
        name=spec.name,
        digest=spec.sha256,
        context=min(settings.context, spec.context),
        threads=settings.threads,
        states=states.folder(),
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
