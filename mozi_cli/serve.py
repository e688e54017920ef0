"""`mozi serve`: papers and the companion over HTTP, for programs."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mozi_engine.errors import SettingsError

if TYPE_CHECKING:
    from mozi_engine.serving.app import Service
    from mozi_engine.settings import Settings
    from mozi_engine.types import GenerationSettings

EXAMPLES = """\b
Examples:
  mozi serve paper.pdf
  curl http://127.0.0.1:8011/ask -d '{"question": "What data do they use?"}'
  curl http://127.0.0.1:8011/papers --data-binary @another.pdf
  curl http://127.0.0.1:8011/companion -d '{"message": "My paper was rejected."}'
  MOZI_SERVE_KEY=secret mozi serve --host 0.0.0.0
  curl http://that.machine:8011/papers -H 'Authorization: Bearer secret'
"""


def serve(
    papers: Annotated[
        list[str] | None, typer.Argument(help="PDFs, their https:// addresses, arxiv:IDs.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; other machines need --key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8011,
    key: Annotated[
        str, typer.Option(envvar="MOZI_SERVE_KEY", show_envvar=True, help="What clients send as Bearer.")
    ] = "",
    passages: Annotated[
        int | None, typer.Option("--passages", "-k", min=1, max=20, help="How many passages.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Its name, or a .gguf file.")] = None,
    engine: Annotated[
        Literal["llamacpp", "remote", "torch"] | None, typer.Option(help="In this process, or a server's.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="A training's run, or its .gguf file.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="A server's address, with /v1; means --engine remote.")
    ] = None,
    password: Annotated[str | None, typer.Option(envvar="MOZI_PDF_PASSWORD", help="The PDFs'.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0, help="0: always the likeliest.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Sample from this much likelihood.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Sample from this many words; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the sampling.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")] = 256,
) -> None:
    """Answer questions about papers over HTTP; talk as the companion, too.

    JSON in and out: GET / names the paths. This machine alone is served, unless a --key is given. Nothing of
    what is asked is written to the disk. Ctrl-C ends it.
    """
    from mozi_engine import settings as user_settings
    from mozi_engine.types import GenerationSettings

    if absent := [name for name in ("starlette", "uvicorn") if not find_spec(name)]:
        raise SettingsError(f"mozi serve needs {' and '.join(absent)}", hint="pip install 'mozi[serve]'")
    settings = user_settings.chosen(model, engine, base_url, adapter)
    settings = replace(settings, passages=passages or settings.passages)
    decoding = GenerationSettings(temperature, top_p, top_k, max_tokens, seed)
    _run(papers or [], host, port, key.strip(), settings, decoding, password)


def _run(
    papers: list[str],
    host: str,
    port: int,
    key: str,
    settings: Settings,
    decoding: GenerationSettings,
    password: str | None,
) -> None:
    """Take the port before anything that takes long; then serve."""
    from mozi_cli import console, wording
    from mozi_engine.serving import server

    at = server.bound(host, port, key)
    if settings.elsewhere:
        console.warning(wording.leaves(settings.elsewhere))
    service = _service(papers, settings, decoding, password)

    def ready() -> None:
        console.note(wording.served(server.address(at), keyed=bool(key), papers=len(papers)))

    def leaving() -> None:
        console.note("stopping: the model ends its batch first; Ctrl-C does not wait for that")

    with suppress(KeyboardInterrupt):  # handed on when all is closed
        server.serve(service, at, key, host, ready=ready, leaving=leaving)


def _service(
    papers: list[str], settings: Settings, decoding: GenerationSettings, password: str | None
) -> Service:
    """Open the papers, and load the model beside the first."""
    from mozi_cli import opening
    from mozi_engine.generation import engines
    from mozi_engine.retrieval.dense import Encoder
    from mozi_engine.serving.app import Service
    from mozi_engine.serving.papers import Opened, Papers
    from mozi_engine.serving.voices import Voices
    from mozi_engine.sessions.conversations import PaperRef

    encoder = Encoder()
    named, model = [], None
    for reference in papers:
        started = time.perf_counter()
        if model is None:
            indexed, model = opening.paper_and_model(reference, settings, encoder, password)
        else:
            indexed = opening.paper(reference, settings, encoder, password)
        ref = PaperRef(indexed.paper.id, indexed.paper.title, reference, indexed.paper.pages)
        named.append(Opened(ref, indexed, (time.perf_counter() - started) * 1000))
    if model is None:
        opening.fetch_model(settings)
        model = engines.load(settings)
    voices = Voices(model, encoder, settings, decoding)
    if named:
        voices.take_up(named[0])
    return Service(voices, Papers(named), settings, encoder)
