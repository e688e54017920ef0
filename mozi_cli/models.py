"""`mozi models`: which models there are, and which of them lie on this disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mozi_engine.models.catalog import ModelSpec

app = typer.Typer(help="List, fetch and remove models.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The model's name in `mozi models list`.")]


@app.command("list", epilog="Example: mozi models list --json")
def list_models(
    json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """Show every model: size, licence, context, whether mozi was tested with it, whether it is here."""
    from mozi_engine.models import catalog

    models = catalog.load()
    if json:
        _print_json(models)
    else:
        _print_table(models)


@app.command(epilog="Example: mozi models pull qwen2.5-coder-1.5b")
def pull(name: Name) -> None:
    """Fetch a model and check its sha256. Stopped half-way, it goes on from there the next time."""
    from mozi_cli import progress
    from mozi_engine.models import catalog

    spec = catalog.find(name)
    progress.show(catalog.pull(spec), resumes=True)
    typer.echo(f"{name} is ready: {catalog.path(spec)}", err=True)


@app.command(epilog="Example: llama-server -m $(mozi models path qwen2.5-coder-1.5b)")
def path(name: Name) -> None:
    """Print where a model's file lies, and nothing else."""
    from mozi_engine.errors import ModelError
    from mozi_engine.models import catalog

    spec = catalog.find(name)
    if not catalog.ready(spec):
        raise ModelError(f"{name} is not on this disk", hint=f"mozi models pull {name}")
    typer.echo(catalog.path(spec))


@app.command(epilog="Example: mozi models remove qwen3-4b --yes")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model from this disk; what was added is also forgotten. Files of your own are left alone."""
    from mozi_engine import files
    from mozi_engine.models import catalog

    spec = catalog.find(name)
    if not yes:
        typer.confirm(f"Remove {name} ({catalog.folder(spec)})?", abort=True, err=True)
    typer.echo(f"{name} is removed; {files.size(catalog.remove(spec))} freed", err=True)


@app.command(
    epilog="""Examples:\n
    mozi models add my-model --file ~/models/my-model.gguf --licence MIT\n
    mozi models add qwen3-8b --hub Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf --context 32768"""
)
def add(
    name: Annotated[str, typer.Argument(help="What to call it: small letters, digits, . _ -")],
    file: Annotated[str | None, typer.Option(help="A GGUF file on this disk.")] = None,
    hub: Annotated[
        str | None, typer.Option(help="OWNER/REPO/FILE on the hub, or OWNER/REPO/FILE@REVISION.")
    ] = None,
    sha256: Annotated[str, typer.Option(help="The publisher's; else asked of the hub, or computed.")] = "",
    context: Annotated[int, typer.Option(min=0, help="Tokens it can read; 0: what the file says.")] = 0,
    licence: Annotated[str, typer.Option(help="Its licence, for the list.")] = "",
) -> None:
    """Add a model to your own catalogue."""
    from mozi_engine.models import catalog

    if (file is None) == (hub is None):
        raise typer.BadParameter("give one of --file and --hub")
    source = f"file:{file}" if file else f"hub:{hub}"
    spec = catalog.add(name, source, sha256.lower(), context, licence)
    then = "it is ready" if catalog.ready(spec) else f"fetch it with: mozi models pull {name}"
    typer.echo(f"{name} is in {catalog.user_file()}; {then}", err=True)


@app.command(
    epilog="""\b
Examples:
  hf download baichuan-inc/Baichuan-7B --local-dir baichuan
  hf download DataHammer/mozi_baichuan_7b --local-dir lora
  mozi models convert baichuan models/baichuan-7b
  mozi models convert lora models/mozi-7b --base models/baichuan-7b
  mozi chat paper.pdf --adapter models/mozi-7b
"""
)
def convert(
    folder: Annotated[Path, typer.Argument(help="The model's or the adapter's folder, as published.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    base: Annotated[
        Path | None, typer.Option(help="Of an adapter: the model that it was made on, converted.")
    ] = None,
) -> None:
    """Make the original Mozi's LLaMA-7B and Baichuan-7B, and the adapters on them, readable here.

    Weights stay as they are, to the bit; nothing that lies beside them is run.
    """
    import importlib.util

    from mozi_engine.errors import ModelError

    needed = ("torch", "transformers", "peft", "google.protobuf")
    if absent := [name for name in needed if not importlib.util.find_spec(name)]:
        raise ModelError(f"converting needs {', '.join(absent)}", hint="pip install 'mozi[train]'")
    from mozi_engine.generation import original

    original.convert(folder, out, str(base.absolute()) if base else "")
    typer.echo(f"written: {out}", err=True)


def _print_json(models: tuple[ModelSpec, ...]) -> None:
    import json
    from dataclasses import asdict

    from mozi_engine.models import catalog

    here = {spec.name: str(catalog.path(spec)) if catalog.ready(spec) else None for spec in models}
    rows = [asdict(spec) | {"on_disk": here[spec.name]} for spec in models]
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))


def _print_table(models: tuple[ModelSpec, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    from mozi_engine import files
    from mozi_engine.models import catalog

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "size", "licence", "context", "verified", "on disk"):
        table.add_column(heading, no_wrap=True)
    for spec in models:
        table.add_row(
            spec.name,
            files.size(spec.bytes) if spec.bytes else "?",
            spec.licence or "?",
            f"{spec.context:,}",
            "yes" if spec.verified else "no",
            "yes" if catalog.ready(spec) else "no",
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    notes = [f"{spec.name}: {spec.note}" for spec in models if spec.note]
    console.print("", *notes, sep="\n", style="dim", soft_wrap=True)
