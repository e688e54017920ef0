"""`mozi eval`: measure the way the field measures. Options here, the work in `measuring`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    help="Measure retrieval and answers the way the field does.", no_args_is_help=True, rich_markup_mode=None
)

Data = Annotated[Path, typer.Argument(metavar="DATA", help="A QASPER file as published (.json, .json.gz).")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The run's folder; it goes on where it was.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the bootstrap and of the order of papers.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
Limit = Annotated[int, typer.Option(min=0, help="So many questions, of papers drawn by the seed; 0: all.")]
Model = Annotated[str | None, typer.Option(help="Its name, or a .gguf file.")]
Engine = Annotated[
    Literal["llamacpp", "remote", "torch"] | None, typer.Option(help="In this process, or a server's.")
]
BaseUrl = Annotated[str | None, typer.Option(help="A server's address, with /v1; means --engine remote.")]


@app.callback()
def _verbs() -> None:
    pass


@app.command(epilog="Example: mozi eval retrieval qasper-dev-v0.3.json --retriever hybrid")
def retrieval(
    data: Data,
    retriever: Annotated[
        list[str] | None,
        typer.Option(help="bm25, dense, hybrid, or a folder with an encoder; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report to this file, to compare it.")] = None,
    limit: Limit = 0,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=0, help="Cores that embed; 0: all.")] = 0,
    json: Json = False,
) -> None:
    """Score how well evidence is found: Evidence-F1 (the official evaluator's), recall, MRR, nDCG.

    Every passage and question is embedded once and cached. Intervals are 95%, by bootstrap over papers.
    """
    from mozi_cli import measuring as command

    command.retrieval(data, retriever or [], out, limit, seed, workers, as_json=json)


@app.command(
    epilog="""\b
Examples:
  mozi eval qasper qasper-dev-v0.3.json runs/dev --evidence full --limit 50
  mozi eval qasper qasper-dev-v0.3.json runs/vllm --base-url http://127.0.0.1:8000/v1 --model m --workers 16
  mozi eval qasper qasper-dev-v0.3.json runs/dev-sft --adapter paper.gguf
  mozi eval qasper qasper-dev-v0.3.json runs/dev --score-only
"""
)
def qasper(
    data: Data,
    out: Out,
    evidence: Annotated[
        Literal["retrieved", "full", "gold"], typer.Option(help="What is read: full is the whole paper.")
    ] = "retrieved",
    retriever: Annotated[
        str, typer.Option(help="bm25, dense, hybrid, or a folder with an encoder.")
    ] = "hybrid",
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, max=20, help="How many passages.")] = 4,
    limit: Limit = 0,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Questions at once, for a server.")] = 1,
    model: Model = None,
    engine: Engine = None,
    adapter: Annotated[
        str | None, typer.Option(help="A training's run, which means --engine torch; or its .gguf file.")
    ] = None,
    base_url: BaseUrl = None,
    bert_score: Annotated[
        str | None, typer.Option(help="An encoder for BERTScore: its name or folder, such as roberta-large.")
    ] = None,
    score_only: Annotated[
        bool, typer.Option("--score-only", help="Load no model: score what OUT has.")
    ] = False,
    json: Json = False,
) -> None:
    """Answer QASPER's questions, and score the answers by the official and by the Mozi report's protocol.

    Stopped, it goes on from there the next time. OUT gets predictions.jsonl (the official form),
    timings.jsonl and report.json. Intervals are 95%, by bootstrap over papers.
    """
    from mozi_cli import measuring as command
    from mozi_engine.settings import chosen

    run = command.Answering(evidence, retriever, top_k, limit, seed, workers)
    settings = None if score_only else chosen(model, engine, base_url, adapter)
    command.qasper(data, out, run, settings, bert_score, as_json=json)


Transformers = Annotated[
    str, typer.Argument(metavar="MODEL", help="A transformers folder, or a name that is on the disk already.")
]
Adapter = Annotated[Path | None, typer.Option(help="An adapter's folder or run; the base is measured too.")]
Report = Annotated[Path | None, typer.Option(help="Write the report to this file, to compare it.")]


@app.command(epilog="Example: mozi eval perplexity models/base held-out.jsonl --adapter runs/x")
def perplexity(
    model: Transformers,
    data: Annotated[Path, typer.Argument(metavar="DATA", help='A prepared corpus, or lines of {"text": …}.')],
    adapter: Adapter = None,
    chunk: Annotated[int, typer.Option(min=2, help="Tokens read at once.")] = 2048,
    limit: Annotated[int, typer.Option(min=0, help="The first so many chunks; 0: all.")] = 0,
    out: Report = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score how likely a model finds held-out text: perplexity over chunks, the base beside its adapter.

    Intervals are 95%, by bootstrap over documents. Needs the extra `train`.
    """
    from mozi_cli import measuring_models as command

    command.perplexity(model, data, adapter, chunk, limit, out, seed, as_json=json)


@app.command(epilog="Example: mozi eval yesno models/base qasper-test.json --examples qasper-train.json")
def yesno(
    model: Transformers,
    data: Data,
    examples: Annotated[
        Path | None, typer.Option(help="Another QASPER file, whose questions are shown before each.")
    ] = None,
    shots: Annotated[int, typer.Option(min=0, help="How many are shown, with --examples.")] = 4,
    adapter: Adapter = None,
    limit: Limit = 0,
    out: Report = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score yes/no questions with their evidence by which of the two a model finds likelier.

    Intervals are 95%, by bootstrap over papers. Needs the extra `train`.
    """
    from mozi_cli import measuring_models as command

    shown = (examples, shots) if examples else None
    command.yesno(model, data, adapter, shown, limit, out, seed, as_json=json)


@app.command(
    epilog="""\b
Examples:
  mozi eval dialogues prepared/test/sft.jsonl runs/talk --limit 100
  mozi eval dialogues prepared/test/sft.jsonl runs/bare --limit 100 --prompt none
  mozi eval dialogues prepared/test/sft.jsonl runs/talk --score-only --perplexity models/base
"""
)
def dialogues(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="What mozi prepare dialogues wrote (.jsonl).")],
    out: Out,
    prompt: Annotated[
        Literal["support", "none"], typer.Option(help="The companion replies, or the bare model.")
    ] = "support",
    limit: Annotated[int, typer.Option(min=0, help="So many replies, of dialogues drawn by the seed.")] = 0,
    seed: Seed = 0,
    model: Model = None,
    engine: Engine = None,
    base_url: BaseUrl = None,
    perplexity: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A transformers folder that tells the references.")
    ] = None,
    adapter: Adapter = None,
    crisis: Annotated[
        Path | None, typer.Option(help="A labelled file, for the crisis screen beside the replies.")
    ] = None,
    score_only: Annotated[
        bool, typer.Option("--score-only", help="Ask no model for replies: score what OUT has.")
    ] = False,
    json: Json = False,
) -> None:
    """Reply in support dialogues, and hold the replies against what was replied there.

    BLEU, ROUGE-L, length, distinct-1 and -2; the perplexity of the references where a torch model is given.
    Stopped, it goes on from there the next time. Intervals are 95%, by bootstrap over dialogues.
    """
    from mozi_cli import measuring_talk as command
    from mozi_engine.settings import chosen

    talk = command.Talking(prompt, limit, seed)
    told = (perplexity, adapter) if perplexity else None
    settings = None if score_only else chosen(model, engine, base_url)
    command.dialogues(data, out, talk, settings, told, crisis, as_json=json)


@app.command(epilog="Example: mozi eval crisis labelled.jsonl")
def crisis(
    data: Annotated[Path, typer.Argument(metavar="DATA", help='Lines of {"text", "label", "lang"}.')],
    out: Report = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score the crisis screen on labelled messages: recall and false alarms, by language and class.

    Labels are risk and none. Intervals are 95%, by bootstrap over templates where the file has them.
    """
    from mozi_cli import measuring_talk as command

    command.crisis(data, out, seed, as_json=json)


@app.command(epilog="Example: mozi eval compare runs/passages runs/whole")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run's folder, or a report.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    data: Annotated[Path | None, typer.Option(help="The QASPER file, to compare predictions.jsonl.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show two reports side by side, with a paired bootstrap of the difference B - A.

    Only what both have measured on the same items counts. p is two-sided.
    """
    from mozi_cli import measuring as command

    command.compare(first, second, data, seed, as_json=json)
