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
PassagesOption = Annotated[
    int, typer.Option("--passages", "-k", min=0, help="Passages an example shows; 0: gold alone.")
]
NegativesOption = Annotated[int, typer.Option(min=0, help="Other passages a question of the retriever.")]
OriginalOption = Annotated[
    bool, typer.Option("--original", help="The original Mozi's filter: answerable, gold evidence alone.")
]
WithheldOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The part of the questions asked again without the evidence.")
]
ToleranceOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The part of the records that may be broken.")
]
DownloadOption = Annotated[bool, typer.Option("--download", help="First fetch what RAW does not have.")]


@app.command(epilog="Example: mozi prepare qasper raw/ data/qasper --download")
def qasper(
    raw: Raw,
    out: Out,
    download: DownloadOption = False,
    passages: PassagesOption = 4,
    negatives: NegativesOption = 16,
    original: OriginalOption = False,
    withheld: WithheldOption = 0.0,
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """QASPER v0.1 to v0.3: papers, questions, examples for fine-tuning and for the retriever.

    Splits are told apart by the files' names (train, dev, test); each becomes a folder of JSONL files.
    """
    _papers("qasper", raw, out, download, (seed, passages, original, withheld, negatives, tolerance))


@app.command(epilog="Example: mozi prepare scimrc smrc/ data/scimrc")
def scimrc(
    raw: Raw,
    out: Out,
    passages: PassagesOption = 4,
    negatives: NegativesOption = 16,
    original: OriginalOption = False,
    withheld: WithheldOption = 0.0,
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """SciMRC: the same from smrc_train.jsonl, smrc_dev.jsonl and smrc_test.jsonl."""
    _papers("scimrc", raw, out, False, (seed, passages, original, withheld, negatives, tolerance))


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
    """Support dialogues: those that the crisis rules flag set apart, the others split into train and test."""
    from mozi_engine.datasets import dialogues as engine
    from mozi_engine.support import crisis

    if form not in (None, *engine.FORMS):
        raise typer.BadParameter(f"{form}: one of {', '.join(engine.FORMS)}")
    options = engine.Options(form or "", held_out, licence, seed, tolerance)

    def flagged(text: str) -> bool:
        """By a rule: the classifier was made for what a person says, not for both sides of a dialogue."""
        risk = crisis.screen(text)
        return risk is not None and bool(risk.words)

    _show(engine.prepare(raw, out, flagged, options), out)


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


@app.command(
    epilog="""\b
Examples:
  mozi prepare arxiv raw/ data/arxiv --tokenizer qwen2.5-coder-1.5b --against qasper-test.tgz
  mozi prepare arxiv raw/ out --tokenizer t.json --executor slurm --partition cpu --workers 64 --dry-run
"""
)
def arxiv(
    raw: Raw,
    out: Out,
    tokenizer: Annotated[str, typer.Option(help="A tokenizer.json, a .gguf file, or a model's name.")],
    end_token: Annotated[str, typer.Option(help="What ends a document; else the tokenizer tells.")] = "",
    against: Annotated[
        list[Path] | None, typer.Option(help="QASPER files whose papers are kept out; repeatable.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How much of a paper may stand in one of those.")
    ] = 0.1,
    least_words: Annotated[int, typer.Option(min=5, help="Documents with fewer are left out.")] = 100,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="The part of the documents that is not trained on.")
    ] = 0.005,
    executor: Annotated[str, typer.Option(help="local, ray or slurm.")] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Tasks at a time.")] = 1,
    tasks: Annotated[int, typer.Option(min=1, help="The most pieces the work is cut into.")] = 100,
    partition: Annotated[str, typer.Option(help="Slurm's.")] = "",
    time: Annotated[str, typer.Option(help="Slurm's limit for a task.")] = "20:00:00",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the stages, or Slurm's scripts.")] = False,
    download: DownloadOption = False,
    count: Annotated[
        int,
        typer.Option(
            "--files", min=0, help="With --download: so many of RedPajama's 100 files; 0: a sample."
        ),
    ] = 0,
    seed: SeedOption = 0,
    tolerance: ToleranceOption = 0.01,
) -> None:
    """Papers to pre-train on: RedPajama's JSONL, LaTeX or PDFs, as token shards.

    Cleaned, without copies, near copies and evaluated papers; split into train and held-out. Killed, the same
    command goes on. What is made depends neither on the executor nor on the number of workers.
    """
    if executor not in ("local", "ray", "slurm"):
        raise typer.BadParameter(f"{executor}: one of local, ray, slurm")
    engine = _datatrove()
    _require_corpus(raw, download, count)
    if not against:
        from mozi_cli import console

        console.note("nothing is decontaminated; --against QASPER.json keeps the papers of an evaluation out")
    names = tuple(str(path) for path in against or ())
    options = engine.Options(
        tokenizer, end_token, names, overlap, least_words, held_out, tasks, seed, tolerance
    )
    running = engine.Running(executor, workers, partition, time)
    if dry_run:
        typer.echo("\n".join(engine.describe(raw, out, options, running)))
    elif executor == "slurm":
        list(engine.prepare(raw, out, options, running))
        typer.echo(f"submitted; {out / 'manifest.json'} is written last", err=True)
    else:
        _show(engine.prepare(raw, out, options, running), out, resumes=True)


def _datatrove() -> Any:
    from mozi_engine.errors import DataError

    try:
        from mozi_engine.datasets import arxiv as engine
    except ImportError as error:
        hint = "pip install 'mozi[data]'"
        raise DataError(f"preparing a corpus needs a package that is not installed: {error}", hint) from error
    return engine


def _require_corpus(raw: Path, download: bool, count: int) -> None:
    if not download or not count:
        _require("arxiv", raw, download)
        return
    from mozi_cli import progress
    from mozi_engine.datasets import published

    typer.echo(published.REDPAJAMA, err=True)
    found = progress.show(published.redpajama(count, raw))
    progress.show(published.fetch(found, raw), resumes=True)


def _papers(kind: str, raw: Path, out: Path, download: bool, options: tuple[Any, ...]) -> None:
    from mozi_engine.datasets import papers
    from mozi_engine.datasets.examples import Options

    made = Options(*options)
    if made.original and made.withheld:
        raise typer.BadParameter("the original had no question without an answer: leave out --withheld")
    _require(kind, raw, download)
    _show(papers.prepare(kind, raw, out, made), out)


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


def _show(events: Iterator[Any], out: Path, *, resumes: bool = False) -> None:
    """Follow the work, then say what was made of what."""
    from mozi_cli import progress

    (manifest,) = progress.show(events, resumes=resumes)
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
