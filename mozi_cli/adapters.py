"""`mozi export`: a training's adapter for other programs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mozi_engine.errors import ModelError

if TYPE_CHECKING:
    from mozi_engine.training.adapters.agreement import Agreement

app = typer.Typer(
    help="Write a training's adapter for other programs.", no_args_is_help=True, rich_markup_mode=None
)

Run = Annotated[Path, typer.Argument(help="A training's run, or a folder with an adapter of PEFT's.")]
Base = Annotated[str, typer.Option("--model", help="The base's folder, if it is not where the adapter says.")]


@app.command(epilog="Example: mozi export merged runs/paper models/paper && vllm serve models/paper")
def merged(
    run: Run,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    model: Base = "",
) -> None:
    """Add the adapter to its base's weights: a folder for vLLM, transformers and others.

    OUT appears only if the merged model says what the base with its adapter says.
    """
    _needs("torch", "transformers", "peft", "gguf")
    from mozi_engine.training.adapters import export

    _tell(out, export.merged(run, out, base=model))


@app.command(
    epilog="""\b
Examples:
  mozi export gguf runs/paper paper.gguf
  mozi export gguf runs/paper paper.gguf --base ~/models/llama-7b-f16.gguf
  mozi chat paper.pdf --adapter paper.gguf
"""
)
def gguf(
    run: Run,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new .gguf file.")],
    base: Annotated[
        str | None, typer.Option(help="The base as GGUF: its name in mozi models list, or a file.")
    ] = None,
    model: Base = "",
) -> None:
    """Write the adapter as a file that llama.cpp puts on its base.

    OUT appears only if llama.cpp, with it, moves what the base says as torch does.
    """
    _needs("torch", "transformers", "peft", "gguf")
    from mozi_engine import settings
    from mozi_engine.models import catalog
    from mozi_engine.training.adapters import export

    if out.suffix != ".gguf":
        raise typer.BadParameter(f"{out} should end in .gguf")
    spec = catalog.find(base or settings.load().model)
    if not catalog.ready(spec):
        raise ModelError(f"{spec.name} is not on this disk", hint=f"mozi models pull {spec.name}")
    _tell(out, export.lora(run, out, catalog.path(spec), base=model))


def _needs(*modules: str) -> None:
    if absent := [name for name in modules if importlib.util.find_spec(name) is None]:
        raise ModelError(f"exporting needs {', '.join(absent)}", hint="pip install 'mozi[train]'")


def _tell(out: Path, found: Agreement) -> None:
    from mozi_cli import console
    from mozi_engine.training.adapters.agreement import TOLERANCE

    console.note(
        f"the adapter moves log-probabilities by {found.effect:.3f} nats; in the export that differs by "
        f"{found.difference:.3f} ({found.allowed:.3f} are allowed: {TOLERANCE:.0%}, and {found.noise:.3f} by "
        "the weights' precision)"
    )
    console.note(f"written: {out}")
