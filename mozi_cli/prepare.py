"""`mozi prepare`: raw data, as published, to what training and evaluation read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mozi_engine.datasets.manifest import Manifest

app = typer.Typer(
    help="Turn raw data into what training and evaluation read.", no_args_is_help=True, rich_markup_mode=None
)

_SHOWN = 5  # broken records named on the terminal; the manifest names all

Raw = Annotated[Path, typer.Argument(help="A file as published, its archive, or a folder of them.")]
Out = Annotated[Path, typer.Argument(help="The folder to write.")]
SeedOption = Annotated[int, typer.Option(help="What is drawn by chance is drawn by this.")]
ToleranceOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The part of the records that may be broken.")
]
DownloadOption = Annotated[bool, typer.Option("--download", help="First fetch what RAW does not have.")]


@app.command(epilog="Example: mozi prepare qasper raw/ data/qasper --download")
def qasper(
    raw: Raw,
    out: Out,
    download: DownloadOption = False,
    passages: Annotated[
        int, typer.Option("--passages", "-k", min=0, help="Passages an example shows; 0: gold alone.")
    ] = 4,
    negatives: Annotated[int, typer.Option(min=0, help="Other passages a question of the retriever.")] = 16,
    original: Annotated[
        bool, typer.Option("--original", help="The original Mozi's filter: answerable, gold evidence alone.")
    ] = False,
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """QASPER v0.1 to v0.3: papers, questions, examples for fine-tuning and for the retriever.

    Splits are told apart by the files' names (train, dev, test); each becomes a folder of JSONL files.
    """
    _papers("qasper", raw, out, download, (seed, passages, original, negatives, tolerance))


@app.command(epilog="Example: mozi prepare scimrc smrc/ data/scimrc")
def scimrc(
    raw: Raw,
    out: Out,
    passages: Annotated[
        int, typer.Option("--passages", "-k", min=0, help="Passages an example shows; 0: gold alone.")
    ] = 4,
    negatives: Annotated[int, typer.Option(min=0, help="Other passages a question of the retriever.")] = 16,
    original: Annotated[
        bool, typer.Option("--original", help="The original Mozi's filter: answerable, gold evidence alone.")
    ] = False,
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """SciMRC: the same from smrc_train.jsonl, smrc_dev.jsonl and smrc_test.jsonl."""
    _papers("scimrc", raw, out, False, (seed, passages, original, negatives, tolerance))


@app.command(epilog="Example: mozi prepare dolly raw/ data/dolly --download")
def dolly(raw: Raw, out: Out, download: DownloadOption = False, tolerance: ToleranceOption = 0.01) -> None:
    """databricks-dolly-15k: instructions and their answers, as conversations."""
    from mozi_engine.datasets import dolly as engine

    _require("dolly", raw, download)
    _show(engine.prepare(raw, out, engine.Options(tolerance=tolerance)), out)


@app.command(epilog="Example: mozi prepare dialogues smile.jsonl data/support --held-out 0.1")
def dialogues(
    raw: Raw,
    out: Out,
    form: Annotated[
        str | None, typer.Option(help="original, smile, esconv, sharegpt or emollm; else each record tells.")
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="The part that goes to the test split.")
    ] = 0.1,
    licence: Annotated[str, typer.Option(help="The data's, for the manifest.")] = "not stated",
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """Support dialogues: screened for crisis (flagged ones are set apart), split into train and test."""
    from mozi_engine.support import crisis

    from mozi_engine.datasets import dialogues as engine

    if form not in (None, *engine.FORMS):
        raise typer.BadParameter(f"{form}: one of {', '.join(engine.FORMS)}")
    options = engine.Options(form or "", held_out, licence, seed, tolerance)
    _show(engine.prepare(raw, out, lambda text: crisis.screen(text) is not None, options), out)


@app.command(epilog="Example: mozi prepare sft data/mix --mix qasper=data/qasper,dolly=data/dolly --seed 1")
def sft(
    out: Out,
    mix: Annotated[str, typer.Option(help="NAME=FOLDER of each prepared part, with commas between.")],
    seed: SeedOption = 0,
) -> None:
    """Mix prepared conversations, shuffled by the seed: the original's was QASPER, SciMRC and Dolly."""
    from mozi_engine.datasets import mixture

    parts = dict(part.split("=", 1) for part in mix.split(",") if "=" in part)
    if len(parts) != mix.count(",") + 1:
        raise typer.BadParameter("give NAME=FOLDER, each name once, with commas between")
    chosen = {name: Path(folder) for name, folder in parts.items()}
    _show(mixture.prepare(chosen, out, mixture.Options(seed=seed)), out)


def _papers(kind: str, raw: Path, out: Path, download: bool, options: tuple[Any, ...]) -> None:
    from mozi_engine.datasets import papers
    from mozi_engine.datasets.examples import Options

    _require(kind, raw, download)
    _show(papers.prepare(kind, raw, out, Options(*options)), out)


def _require(kind: str, raw: Path, download: bool) -> None:
    """Fetch what is public, if asked to; else, where there is nothing, name what belongs there."""
    from mozi_engine.datasets import published
    from mozi_engine.errors import DataError

    source = published.publication(kind)
    if source and download:
        from mozi_cli import progress

        typer.echo(source.licence, err=True)
        progress.show(published.fetch(source.files, raw), resumes=True)
    elif source and not raw.exists():
        wanted = " and ".join(file.name for file in source.files)
        addresses = " ".join(file.url for file in source.files)
        raise DataError(
            f"there is nothing at {raw}", hint=f"add --download, or put {wanted} there: {addresses}"
        )


def _show(events: Iterator[Any], out: Path) -> None:
    """Follow the work, then say what was made of what."""
    from mozi_cli import progress

    (manifest,) = progress.show(events)
    _print(manifest, out)


def _print(manifest: Manifest, out: Path) -> None:
    from rich.table import Table

    from mozi_cli import console

    table = Table(box=None, pad_edge=False)
    for heading, justify in (("split", "left"), ("", "left"), ("records", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for counts, prefix in ((manifest.counts, ""), (manifest.left_out, "left out: ")):
        for split, inner in counts.items():
            for what, number in inner.items():
                table.add_row(split, prefix + what, f"{number:,}")
    console.stdout.print(table)
    for skipped in manifest.skipped[:_SHOWN]:
        console.note(f"skipped {skipped}")
    if len(manifest.skipped) > _SHOWN:
        console.note(
            f"skipped {len(manifest.skipped) - _SHOWN} more; all are named in {out / 'manifest.json'}"
        )
    console.note(f"{out} is ready; licence: {manifest.licence}")
