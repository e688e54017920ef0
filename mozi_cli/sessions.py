"""`mozi sessions`: the conversations that are kept on this disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from mozi_engine.sessions.conversations import Summary
    from mozi_engine.sessions.exporting import Format

app = typer.Typer(
    help="List, show, export and delete conversations.", no_args_is_help=True, rich_markup_mode=None
)

_NO_END = 10_000  # columns: in a pipe, what is long stays whole

Id = Annotated[str, typer.Argument(metavar="ID", help="Its id in `mozi sessions list`, or the beginning.")]


@app.command("list", epilog="Example: mozi sessions list --json")
def list_sessions(
    json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """Show every conversation, the one used last first."""
    from mozi_cli import keeping
    from mozi_engine.sessions import records

    with keeping.on_disk() as store:
        found = store.recent()
    if json:
        typer.echo(records.summaries_record(found))
    elif found:
        _print_table(found)
    else:
        typer.echo("no conversations yet; begin one with: mozi chat paper.pdf", err=True)


@app.command(epilog="Example: mozi sessions show 3fa2")
def show(session: Id) -> None:
    """Show a conversation, with its citations."""
    from mozi_cli import console, keeping, wording

    with keeping.on_disk() as store:
        conversation = store.load(session)
    console.note(wording.about(conversation.session))
    for number, exchange in enumerate(conversation.exchanges):
        console.show_exchange(exchange, first=number == 0)


@app.command(
    epilog="""\b
Examples:
  mozi sessions export 3fa2 > notes.md
  mozi sessions export 3fa2 -o quotes.bib
  mozi sessions export 3fa2 --format json | jq '.exchanges[].citations[].quote'
"""
)
def export(
    session: Id,
    form: Annotated[
        Literal["md", "json", "bib"] | None,
        typer.Option("--format", "-f", help="md unless the file's name says otherwise."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Print a conversation as Markdown, JSON or BibTeX.

    BibTeX is an entry for the paper, from what its reference tells, with the quotations in its note.
    """
    from mozi_cli import keeping
    from mozi_engine.sessions import exporting

    with keeping.on_disk() as store:
        conversation = store.load(session)
    text = exporting.WRITERS[form or _by_name(output)](conversation)
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        _write(output, text, force=force)


@app.command(
    epilog="""\b
Examples:
  mozi sessions delete 3fa2 91c0
  mozi sessions delete --all --yes
"""
)
def delete(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Their ids.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them, and the list of papers that were opened.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete conversations. Their words are overwritten on the disk, not only taken off the list."""
    from mozi_cli import keeping

    if bool(sessions) == everything:
        raise typer.BadParameter("give ids, or --all")
    with keeping.on_disk() as store:
        chosen = {} if everything else {store.load(one).session.id: None for one in sessions or ()}
        found = [summary for summary in store.recent() if everything or summary.session.id in chosen]
        if not yes:
            _print_table(found)
            typer.confirm(f"Delete {_counted(len(found))}?", abort=True, err=True)
        store.clear() if everything else store.delete(*chosen)
    typer.echo(f"{_counted(len(found))} deleted", err=True)


def _by_name(output: Path | None) -> Format:
    from mozi_engine.sessions.exporting import WRITERS

    suffix = output.suffix.lstrip(".").lower() if output else ""
    return next((form for form in WRITERS if form == suffix), "md")


def _write(output: Path, text: str, *, force: bool) -> None:
    from mozi_engine.errors import DataError
    from mozi_engine.files import atomic

    if output.exists() and not force:
        raise DataError(f"{output} is there already", hint="give another name, or --force")
    with atomic(output) as file:
        file.write(text.encode())
    typer.echo(f"written to {output}", err=True)


def _counted(count: int) -> str:
    return f"{count} conversation" + "s" * (count != 1)


def _print_table(summaries: list[Summary] | tuple[Summary, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mozi_cli import wording

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, expand=console.is_terminal)
    for heading, width in (("id", 8), ("last used", 16), ("questions", 9)):
        table.add_column(heading, no_wrap=True, min_width=width)
    for heading in ("about", "last question"):
        table.add_column(heading, no_wrap=True, ratio=1 if console.is_terminal else None)
    for summary in summaries:
        table.add_row(*map(Text, wording.row(summary)))
    if not console.is_terminal:
        console.width = _NO_END
    console.print(table)
