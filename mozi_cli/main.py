"""The `mozi` command: one short function a verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mozi_cli import doctor, serve
from mozi_cli.rooms import Rooms
from mozi_engine.errors import MoziError, SettingsError

if TYPE_CHECKING:
    from logging import LogRecord

app = typer.Typer(
    name="mozi",
    cls=Rooms,
    help="Ask a paper. Answers with exact citations, on your own machine.",
    epilog='Start with: mozi chat --paper paper.pdf --ask "What data do they use?"',
    no_args_is_help=True,
    rich_markup_mode=None,  # Rich would draw boxes around the help, and take longer than everything else
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PAPER_HELP = "A PDF: its path, its https:// address, or arxiv:ID."

PassagesOption = Annotated[
    int | None, typer.Option("--passages", "-k", min=1, max=20, help="How many passages.")
]
ModelOption = Annotated[str | None, typer.Option(help="Its name, or a .gguf file.")]
EngineOption = Annotated[
    Literal["llamacpp", "remote", "torch"] | None, typer.Option(help="In this process, or a server's.")
]
AdapterOption = Annotated[
    str | None, typer.Option(help="A training's run, which means --engine torch; or its .gguf file.")
]
PasswordOption = Annotated[str | None, typer.Option(envvar="MOZI_PDF_PASSWORD", help="The PDF's password.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a question, for programs.")]


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"mozi {importlib.metadata.version('mozi')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001  told by _version
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    import logging

    # Libraries that warn of what a person can do nothing about; what goes wrong is raised.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    logging.getLogger("DeepSpeed").addFilter(_failed)  # it sets its own level


def _failed(record: LogRecord) -> bool:
    return record.levelname in ("ERROR", "CRITICAL")


@app.command(
    epilog="""\b
Examples:
  mozi chat paper.pdf
  mozi chat arxiv:1805.02262 --ask "How large is the graph?"
  mozi chat --resume
  mozi chat --support
  mozi chat paper.pdf --json < questions.txt
  mozi chat paper.pdf --adapter runs/sft
  mozi chat paper.pdf --base-url http://127.0.0.1:11434/v1 --model qwen3
"""
)
def chat(
    named: Annotated[
        str | None, typer.Argument(metavar="PAPER", help=f"{PAPER_HELP} After --resume: an id.")
    ] = None,
    paper: Annotated[
        str | None, typer.Option("--paper", "-p", metavar="PAPER", help="The same, by name.")
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option("--ask", "-a", metavar="QUESTION", help="A question; repeatable.")
    ] = None,
    json: JsonOption = False,
    passages: PassagesOption = None,
    model: ModelOption = None,
    engine: EngineOption = None,
    adapter: AdapterOption = None,
    base_url: Annotated[
        str | None, typer.Option(help="A server's address, with /v1; means --engine remote.")
    ] = None,
    password: PasswordOption = None,
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0, help="0: always the likeliest.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Sample from this much likelihood.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Sample from this many words; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the sampling.")] = 0,
    penalty_alpha: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Contrastive search, in the torch engine; 0: none.")
    ] = 0.0,
    whole: Annotated[bool, typer.Option("--whole", help="Let the model read the whole paper first.")] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")] = 256,
    plain: Annotated[
        bool, typer.Option("--plain", help="A dialogue line by line, not the full screen.")
    ] = False,
    support: Annotated[bool, typer.Option("--support", help="Begin with the companion.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="With --support: why each reply is as it is; line by line.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", "-r", help="Go on with the last conversation; with --resume ID, with that."),
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Keep nothing of the conversation.")] = False,
) -> None:
    """Ask a paper questions, and get answers with citations.

    On a terminal this opens the full screen; without a paper, on those opened before. With --plain,
    questions are read line by line (Ctrl-C stops an answer, Ctrl-D leaves); from a pipe, one a line.
    """
    from mozi_engine.settings import chosen
    from mozi_engine.types import GenerationSettings

    if named and paper and not resume:
        raise typer.BadParameter(f"two papers, {named} and {paper}: give one")
    settings = chosen(model, engine, base_url, adapter)
    settings = replace(settings, passages=passages or settings.passages)
    decoding = GenerationSettings(temperature, top_p, top_k, max_tokens, seed, penalty_alpha)
    if penalty_alpha and settings.engine != "torch":
        raise SettingsError("contrastive search needs the torch engine", hint="--engine torch")
    reference = paper if resume else paper or named
    resumed = (named or "") if resume else None
    if not (ask or json or plain or whole or explain) and _on_terminal():
        from mozi_cli import full_screen
        from mozi_cli.tui.start import Start

        mode: Literal["paper", "support"] = "support" if support else "paper"
        full_screen.run(Start(settings, decoding, reference or "", password, mode, resumed, private))
        return
    if support:
        from mozi_cli import support as companion

        if json or whole or resume:
            raise typer.BadParameter("--support takes no --json, --whole or --resume, line by line")
        companion.run(
            reference, ask or [], settings, decoding, password=password, explain=explain, private=private
        )
        return
    from mozi_cli import chat as command

    command.run(
        reference,
        ask or [],
        settings,
        decoding,
        password=password,
        as_json=json,
        whole=whole,
        resume=resumed,
        private=private,
    )


@app.command(
    epilog="""\b
Examples:
  mozi read paper.pdf arxiv:1805.02262
  mozi read ~/papers
"""
)
def read(
    papers: Annotated[
        list[str], typer.Argument(help="PDFs, their https:// addresses, arxiv:IDs, or folders.")
    ],
    model: ModelOption = None,
    engine: EngineOption = None,
    adapter: AdapterOption = None,
    password: PasswordOption = None,
) -> None:
    """Let the model read papers ahead of time; questions about them are then answered at once.

    Stopped, it goes on from there the next time.
    """
    from mozi_cli import read as command
    from mozi_engine.settings import chosen

    command.run(papers, chosen(model, engine, adapter=adapter), password)


@app.command(epilog='Example: mozi evidence paper.pdf "How large is the graph?" -k 3')
def evidence(
    paper: Annotated[str, typer.Argument(help=PAPER_HELP)],
    question: Annotated[str, typer.Argument(help="What to look for.")],
    passages: PassagesOption = 5,
    json: JsonOption = False,
    password: PasswordOption = None,
) -> None:
    """Show the passages of a paper that bear on a question. No model is loaded."""
    from mozi_cli import chat as command

    command.show_evidence(paper, question, passages or 5, password=password, as_json=json)


app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog="Example: mozi doctor --network")(doctor.doctor)


def main() -> None:
    """Run mozi. What went wrong outside the code is one line and a next step; exit code 1."""
    _write_any_language()
    if sys.stdin is None:  # closed, as a service may have it: nothing is asked there
        sys.stdin = io.TextIOWrapper(io.BytesIO())
    try:
        app()
    except MoziError as error:
        from mozi_cli import console

        console.failure(error)
        sys.exit(1)


def _on_terminal() -> bool:
    """Whether a person sees what is written, on a terminal that can place it."""
    streams = (sys.stdin, sys.stdout, sys.stderr)  # Textual draws on the last
    return all(stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def _write_any_language() -> None:
    """UTF-8 into pipes and files, as programs read it; a terminal marks what it cannot show.

    Windows and bare locales would otherwise fail at the first sign outside their own code page.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            chosen = stream.isatty() or "PYTHONIOENCODING" in os.environ
            stream.reconfigure(encoding=None if chosen else "utf-8", errors="replace")
