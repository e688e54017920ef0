"""`mozi train`: make the models behind mozi, by recipe."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mozi_cli import launching
from mozi_engine.errors import ModelError

if TYPE_CHECKING:
    from mozi_engine.training.distributed.launch import Launch
    from mozi_engine.training.llm import causal as causals
    from mozi_engine.training.llm import finetune
    from mozi_engine.training.llm import pretrain as pretraining
    from mozi_engine.training.llm.causal import Trained
    from mozi_engine.training.recipe import CausalRecipe, PretrainRecipe, RetrieverRecipe, SftRecipe
    from mozi_engine.training.retrieval.retriever import Data

app = typer.Typer(
    help="Train the models behind mozi, by recipe.", no_args_is_help=True, rich_markup_mode=None
)

RecipeArgument = Annotated[
    str, typer.Argument(help="A YAML file, or the name of a recipe that comes with mozi.")
]
ChangesArgument = Annotated[list[str] | None, typer.Argument(help="key=value, over the recipe's.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]
AdapterOption = Annotated[str | None, typer.Option(help="A run, whose adapter is trained on.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the recipe and the data; stop.")]


@app.command(
    epilog="""\b
Examples:
  mozi train retriever retriever-scidpr-small --dry-run
  mozi train retriever my.yaml optim.lr=2e-5 'data.evaluate=[dev.json]' --out runs/dpr
"""
)
def retriever(
    recipe: RecipeArgument,
    changes: ChangesArgument = None,
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/retriever"),
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train the encoder that finds evidence (SciDPR), and export it as int8 ONNX.

    OUT/encoder is then what `mozi eval retrieval --retriever` takes. Ctrl-C ends the step, saves and stops;
    --resume goes on.
    """
    _needs("torch", "sentence_transformers", "datasets", "omegaconf", "onnx")
    from mozi_cli import console, steps
    from mozi_engine.training import recipe as recipes
    from mozi_engine.training.retrieval import retriever as engine

    read = recipes.load(recipes.find(recipe), recipes.RetrieverRecipe, changes or ())
    found = engine.data(read)
    console.note(_plan(read, found))
    if dry_run:
        typer.echo(recipes.written(read), nl=False)
        return
    with steps.following(str(out)) as (shown, interrupted):
        ended = engine.train(read, out, shown, resume=resume, stopped=interrupted)
    if ended.model is None:
        console.note(steps.stopped(ended.done, ended.total))
        raise typer.Exit(130)
    exported = engine.export_best(out, found.compared)
    console.note(
        f"int8 against float32, {exported.questions} questions: the same first passage "
        f"{exported.same_first:.0%}, Spearman {exported.spearman:.3f}"
    )
    console.note(f"written: {out / 'encoder'}")


@app.command(
    epilog="""\b
Examples:
  mozi train sft sft-paper-small base=~/models/qwen 'data.train=[sft.jsonl]' --dry-run
  mozi train sft my.yaml optim.lr=2e-4 lora.rank=16 --out runs/paper
  mozi train sft sft-paper --gpus 8 --out runs/paper
  mozi train sft sft-paper --gpus 8 --out runs/paper --emit slurm > job.sh
  mozi chat paper.pdf --adapter runs/paper
"""
)
def sft(
    recipe: RecipeArgument,
    changes: ChangesArgument = None,
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/sft"),
    adapter: AdapterOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    gpus: launching.GpusOption = None,
    hostfile: launching.HostfileOption = None,
    launcher: launching.LauncherOption = None,
    emit: launching.EmitOption = None,
) -> None:
    """Fine-tune a language model on conversations (LoRA); OUT/adapter is what `mozi chat --adapter` takes.

    Ctrl-C ends the step, saves and stops; --resume goes on as if nothing had been.
    """
    wanted = launching.Wanted(gpus, hostfile, launcher, emit)
    _causal("sft", recipe, changes, adapter, out, wanted, resume=resume, dry_run=dry_run)


@app.command(
    epilog="""\b
Examples:
  mozi prepare arxiv raw/ corpus --tokenizer ~/models/gemma/tokenizer.json
  mozi train pretrain pretrain-small base=~/models/gemma data.corpus=corpus --dry-run
  mozi train pretrain pretrain-llama-7b --gpus 8 --out runs/llama
  mozi train sft sft-paper --adapter runs/llama
"""
)
def pretrain(
    recipe: RecipeArgument,
    changes: ChangesArgument = None,
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/pretrain"),
    adapter: AdapterOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    gpus: launching.GpusOption = None,
    hostfile: launching.HostfileOption = None,
    launcher: launching.LauncherOption = None,
    emit: launching.EmitOption = None,
) -> None:
    """Train a language model on documents (LoRA); OUT/adapter is what `mozi train sft --adapter` takes.

    Ctrl-C ends the step, saves and stops; --resume goes on as if nothing had been.
    """
    wanted = launching.Wanted(gpus, hostfile, launcher, emit)
    _causal("pretrain", recipe, changes, adapter, out, wanted, resume=resume, dry_run=dry_run)


def _causal(
    kind: Literal["sft", "pretrain"],
    recipe: str,
    changes: list[str] | None,
    adapter: str | None,
    out: Path,
    wanted: launching.Wanted,
    *,
    resume: bool,
    dry_run: bool,
) -> None:
    """Train a causal language model: here, in processes of its own, or tell how it would be done."""
    _needs("torch", "transformers", "peft", "accelerate", "omegaconf")
    from mozi_engine.training import recipe as recipes

    kinds: dict[str, type[CausalRecipe]] = {"sft": recipes.SftRecipe, "pretrain": recipes.PretrainRecipe}
    given = [*(changes or ()), *([f"adapter={adapter}"] if adapter else ())]
    read = recipes.load(recipes.find(recipe), kinds[kind], given)
    launch = wanted.launch(read)
    arguments = ["train", kind, recipe, *given, "--out", str(out)]
    again = ["--resume"] if resume else []
    if wanted.emit:
        typer.echo(launching.job(launch, arguments, out), nl=False)
    elif dry_run:
        _tell_plan(read, launch, [*arguments, *again])
    elif launching.elsewhere(launch):
        launching.follow(launch, [*arguments, *again], read, out, resume=resume)
    else:
        _train(read, out, resume=resume)


def _tell_plan(recipe: CausalRecipe, launch: Launch, arguments: list[str]) -> None:
    """The data, the memory, the command and the whole recipe."""
    from mozi_cli import console, steps
    from mozi_engine.training import recipe as recipes
    from mozi_engine.training.llm import causal

    data, plan = _planned(recipe, launch.processes)
    console.note(plan)
    if too_long := causal.beyond(recipe):
        console.note(steps.beyond(too_long))
    console.note(launching.memory(launch, recipe, data.targets))
    console.note(launching.told(launch, arguments))
    typer.echo(recipes.written(recipe), nl=False)


def _train(recipe: CausalRecipe, out: Path, *, resume: bool) -> None:
    """Train in this process, show it, and say what came of it."""
    from mozi_cli import console, steps
    from mozi_engine.training.distributed.launch import speaks, started
    from mozi_engine.training.runs import history, resuming

    warnings.simplefilter("ignore", FutureWarning)  # what libraries tell those who write against them
    launched = started(os.environ)
    if not launched:
        resuming.forget_stop(out)
    with steps.following(str(out)) as (shown, interrupted):
        ended = _engine(recipe)(
            out, shown, resume=resume, stopped=lambda: interrupted() or resuming.asked_to_stop(out)
        )
    if speaks(os.environ):
        console.note(steps.ended(ended, history.read(out).before))
    if ended.adapter is None and not launched:
        raise typer.Exit(130)


def _engine(recipe: CausalRecipe) -> Callable[..., Trained]:
    from mozi_engine.training.llm import finetune, pretrain
    from mozi_engine.training.recipe import PretrainRecipe, SftRecipe

    match recipe:
        case SftRecipe():
            return partial(finetune.train, recipe)
        case PretrainRecipe():
            return partial(pretrain.train, recipe)
    raise AssertionError(f"{type(recipe).__name__} is trained by no engine")


def _planned(recipe: CausalRecipe, processes: int) -> tuple[causals.Data, str]:
    """What the recipe learns from, and that in words."""
    from mozi_engine.training.llm import finetune, pretrain
    from mozi_engine.training.recipe import PretrainRecipe, SftRecipe

    match recipe:
        case SftRecipe():
            conversations = finetune.data(recipe, processes)
            return conversations, _sft_plan(recipe, conversations, processes)
        case PretrainRecipe():
            corpus = pretrain.data(recipe, processes)
            return corpus, _pretrain_plan(recipe, corpus, processes)
    raise AssertionError(f"{type(recipe).__name__} is trained by no engine")


def _sft_plan(recipe: SftRecipe, data: finetune.Data, processes: int) -> str:
    rows = len(data.train)
    each = recipe.batch * recipe.accumulate * processes
    return (
        f"{len(data.examples.items)} conversations ({data.examples.cut} cut, {data.examples.lost} left out), "
        f"{data.examples.targets} tokens learned an epoch; {rows} rows, {data.tokens} tokens, "
        f"{-(-rows // each)} steps; held out: {len(data.held_out)} rows"
    )


def _pretrain_plan(recipe: PretrainRecipe, data: pretraining.Data, processes: int) -> str:
    rows = len(data.train)
    steps = rows // (recipe.batch * recipe.accumulate * processes)
    return (
        f"{data.documents} documents, {data.once} tokens; {rows} rows, {data.tokens} tokens, {steps} steps; "
        f"held out: {len(data.held_out)} rows"
    )


def _needs(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        raise ModelError(f"training needs {', '.join(absent)}", hint="pip install 'mozi[train]'")


def _plan(recipe: RetrieverRecipe, data: Data) -> str:
    from mozi_engine.training.recipe import Mined

    questions = sum(len(paper.questions) for paper in data.held_out)
    steps = recipe.epochs * -(-len(data.train) // recipe.batch)
    first = "" if recipe.mined_by is Mined.bm25 else "; first the base model ranks every paragraph"
    return (
        f"{len(data.train)} pairs, about {steps} steps; "
        f"held out: {len(data.held_out)} papers, {questions} questions{first}"
    )
