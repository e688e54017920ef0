"""SciDPR: a bi-encoder that brings questions near their evidence, on sentence-transformers' trainer.

Karpukhin et al., 2020: in-batch negatives, and hard ones mined by BM25 or by the base model before it is
trained; one encoder for both sides, or one for each, as theirs.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.base.modules import Router
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from transformers import PrinterCallback, TrainerCallback
from transformers.utils.logging import disable_progress_bar

from mozi_engine.datasets import manifest, qasper
from mozi_engine.datasets.qasper import QasperPaper
from mozi_engine.errors import DataError, RecipeError
from mozi_engine.evaluation import official
from mozi_engine.evaluation.retrieval import found as found_by
from mozi_engine.evaluation.retrieval import table
from mozi_engine.retrieval.dense import QUESTIONS, Dense, Encoder, Vectors, searched
from mozi_engine.training.recipe import Mined, RetrieverRecipe
from mozi_engine.training.retrieval.export import Agreement, agreement, export, unlike
from mozi_engine.training.retrieval.pairs import Pair, Ranker, by_words, pairs
from mozi_engine.training.runs import curves, history, resuming
from mozi_engine.training.runs.resuming import Fed
from mozi_engine.training.runs.step import Clock, Searched, Step
from mozi_engine.types import Passage, Retriever

_BEST = "recall_at_5"  # what decides which epoch's weights are kept
_COMPARED = 20  # papers
_ROUTES = {"question": "query", "evidence": "document"}  # for a model that has two

Report = Callable[[Step | Searched], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended: after `done` of `total` steps; `model` has its weights, None where it stopped."""

    done: int
    total: int
    model: Path | None


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, and the papers that measure it: none is in both.

    By `compared` an export is compared with the model: what is held out, or some of the others.
    """

    train: tuple[Pair, ...]
    held_out: tuple[QasperPaper, ...]
    compared: tuple[QasperPaper, ...]


def data(recipe: RetrieverRecipe, rankers: Sequence[Ranker] = (by_words,)) -> Data:
    """The recipe's data. The rankers change which negatives there are, not how many pairs.

    Raises DataError when nothing is left to train on.
    """
    held_out = qasper.papers(recipe.data.evaluate) if recipe.data.evaluate else []
    known = {paper.id for paper in held_out}
    papers = [paper for paper in qasper.papers(recipe.data.train) if paper.id not in known]
    found = pairs(papers, recipe.positives, recipe.negatives, recipe.seed, rankers)
    if not found:
        raise DataError(
            "no question with evidence is left to train on", hint="give other files to data.train"
        )
    return Data(tuple(found), tuple(held_out), tuple(held_out or papers[:_COMPARED]))


def train(
    recipe: RetrieverRecipe,
    run: Path,
    report: Report,
    *,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train, and leave the best weights in `run/model`; `report` hears of every step.

    `run` keeps the recipe, the checkpoints and `metrics.jsonl`. Once it is `stopped`, it ends with the step
    under way, and goes on from there with `resume`: weights, optimizer, schedule, data order. Raises
    DataError, RecipeError.
    """
    resuming.claim(run, recipe, _fed(recipe), resume=resume)
    checkpoint, step = resuming.last_checkpoint(run) if resume else (None, 0)
    if checkpoint:
        resuming.rewind(run / "metrics.jsonl", step)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    disable_progress_bar()
    model = _base(recipe)
    found = data(recipe, _rankers(recipe.mined_by, model))
    evaluator = HeldOut(found.held_out, run / "metrics.jsonl", report) if found.held_out else None
    if evaluator and not resume:
        evaluator(model, epoch=0)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(recipe, run, found),
        train_dataset=_dataset(found.train),
        loss=MultipleNegativesRankingLoss(model, scale=recipe.scale),
        evaluator=evaluator,
        callbacks=[
            _Watch(len(found.train), recipe.epochs, run, report, stopped),
            *curves.tensorboard(run, step),
        ],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    state = trainer.state
    if state.global_step < state.max_steps:
        return Trained(state.global_step, state.max_steps, None)
    _save(model, run / "model", max(recipe.tokens, 256))  # what was cut in training is read in use
    return Trained(state.global_step, state.max_steps, run / "model")


def export_best(run: Path, papers: Sequence[QasperPaper]) -> Agreement:
    """Export the trained `run/model` to int8 ONNX as `run/encoder`, and compare their rankings on the papers.

    What came of it is kept in `run/agreement.json`. Raises ModelError.
    """
    model, out = run / "model", run / "encoder"
    shutil.rmtree(out, ignore_errors=True)
    passages = questions = SentenceTransformer(str(model), device="cpu")
    if (model / QUESTIONS).exists():
        export(model / QUESTIONS, out / QUESTIONS)
        questions = SentenceTransformer(str(model / QUESTIONS), device="cpu")
    export(model, out)
    exported = Encoder(folder=out)
    before, after = (_Quiet(passages.encode), _Quiet(questions.encode)), (exported, exported.asking)
    found = agreement(before, after, papers)
    (run / "agreement.json").write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    return found


def _base(recipe: RetrieverRecipe) -> SentenceTransformer:
    """The model to train: one encoder, or a route for questions and one for passages."""
    model = _encoder(recipe)
    if recipe.separate:
        questions, passages = ([*each.children()] for each in (model, _encoder(recipe)))
        router = Router.for_query_document(questions, passages)
        model = SentenceTransformer(modules=[router], device=model.device)
    model.model_card_data.generate_widget_examples = False  # they would be encoded at each checkpoint
    return model


def _encoder(recipe: RetrieverRecipe) -> SentenceTransformer:
    try:
        model = SentenceTransformer(
            recipe.base,
            device=None if torch.cuda.is_available() else "cpu",
            prompts={"query": "", "document": ""},  # what is exported has none
        )
    except (OSError, ValueError) as error:
        raise RecipeError(f"{recipe.base} cannot be loaded", hint="give a model's name or folder") from error
    if wrong := unlike(model):
        hint = "all-MiniLM-L6-v2 can, and what was trained from it"
        raise RecipeError(f"{recipe.base} cannot be exported: {', '.join(wrong)}", hint)
    model.max_seq_length = recipe.tokens
    if recipe.frozen_layers:
        transformer: Any = model[0].auto_model
        lower = [transformer.embeddings, *transformer.encoder.layer[: recipe.frozen_layers]]
        for part in lower:
            part.requires_grad_(requires_grad=False)
    return model


def _save(model: SentenceTransformer, folder: Path, tokens: int) -> None:
    """Write the encoder of passages, and that of questions where it is another; each reads `tokens`."""
    parts = {folder: model}
    if isinstance(model[0], Router):
        routes = {folder: "document", folder / QUESTIONS: "query"}
        parts = {
            place: SentenceTransformer(modules=[*model[0].sub_modules[route]], device=model.device)
            for place, route in routes.items()
        }
    for place, part in parts.items():
        part.max_seq_length = tokens
        part.save(str(place), create_model_card=False)


def _fed(recipe: RetrieverRecipe) -> Fed:
    """The files of the recipe's data: with it and its base, they are all that a training depends on."""
    read = manifest.hashed({path: Path(path) for path in (*recipe.data.train, *recipe.data.evaluate)})
    return Fed(hashlib.sha256("".join(file.sha256 for file in read).encode()).hexdigest())


def _rankers(mined_by: Mined, model: SentenceTransformer) -> Sequence[Ranker]:
    """What finds the hard negatives."""
    asking, reading = _Quiet(model.encode_query), _Quiet(model.encode_document)

    def by_meaning(passages: Sequence[Passage]) -> Callable[[str], Vectors]:
        return Dense(passages, reading.encode([searched(each) for each in passages]), asking).scores

    return {
        Mined.bm25: (by_words,),
        Mined.base: (by_meaning,),
        Mined.both: (by_words, by_meaning),
    }[mined_by]


def _dataset(found: Sequence[Pair]) -> Dataset:
    columns = {"question": [pair.question for pair in found], "evidence": [pair.evidence for pair in found]}
    for number in range(len(found[0].negatives)):
        columns[f"negative_{number + 1}"] = [pair.negatives[number] for pair in found]
    return Dataset.from_dict(columns)


def apart(papers: Sequence[str], dataset: Dataset, **options: Any) -> NoDuplicatesBatchSampler:
    """Batches in which no paper and no text stands twice; `papers` has one a row of the dataset.

    Evidence is then a negative of no other question that rests on it.
    """
    return NoDuplicatesBatchSampler(dataset.add_column("paper", list(papers)), **options)


def _arguments(recipe: RetrieverRecipe, run: Path, found: Data) -> SentenceTransformerTrainingArguments:
    measured = bool(found.held_out)
    return SentenceTransformerTrainingArguments(
        output_dir=str(run / "checkpoints"),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        batch_sampler=partial(apart, [pair.paper for pair in found.train]),
        learning_rate=recipe.optim.lr,
        warmup_steps=recipe.optim.warmup,
        weight_decay=recipe.optim.weight_decay,
        max_grad_norm=recipe.optim.clip,
        eval_strategy="epoch" if measured else "no",
        save_strategy="epoch",
        save_total_limit=recipe.keep,
        load_best_model_at_end=measured,
        metric_for_best_model=f"eval_{_BEST}" if measured else None,
        logging_steps=1,
        seed=recipe.seed,
        data_seed=recipe.seed,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        router_mapping=_ROUTES | {f"negative_{n + 1}": "document" for n in range(recipe.negatives)},
    )


class HeldOut(BaseEvaluator):  # type: ignore[misc]
    """Scores a model in training on papers it does not train on, as `mozi eval retrieval` does."""

    def __init__(self, papers: Sequence[QasperPaper], metrics: Path, report: Report) -> None:
        super().__init__()
        self.primary_metric = _BEST
        self._papers, self._metrics, self._report = papers, metrics, report

    def __call__(
        self,
        model: SentenceTransformer,
        output_path: str | None = None,  # noqa: ARG002  the trainer's
        epoch: float = -1,
        steps: int = -1,
    ) -> dict[str, float]:
        """The means by name; also written down, and reported."""
        asking, reading = _Quiet(model.encode_query), _Quiet(model.encode_document)

        def build(_: str, passages: Sequence[Passage]) -> Retriever:
            return Dense(passages, reading.encode([searched(each) for each in passages]), asking)

        with torch.inference_mode():
            measured = table("held out", found_by(self._papers, build), official.clusters(self._papers))
        scores = tuple(measured.scores())
        self._report(Searched(epoch, scores))
        means = {score.name.replace(",", "").replace(" ", "_"): score.value for score in scores}
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, "step": steps, **means}) + "\n")
        return means


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A torch model's `encode` or `encode_query`, without progress bars."""

    encoding: Callable[..., Any]

    def encode(self, texts: Sequence[str], /) -> Vectors:
        vectors: Vectors = self.encoding(list(texts), show_progress_bar=False, normalize_embeddings=True)
        return vectors


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Writes the trainer's steps down, and passes them on; asks whether it is to stop."""

    def __init__(
        self, pairs: int, epochs: int, run: Path, report: Report, stopped: Callable[[], bool]
    ) -> None:
        self._pairs, self._epochs = pairs, epochs
        self._run, self._report, self._stopped = run, report, stopped
        self._clock = Clock()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._clock = Clock(self._read(state))
        history.began(self._run, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        if self._stopped() and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        # One that is stopped in its middle is saved already, and is not over.
        if control.should_training_stop and not float(state.epoch).is_integer():
            control.should_save = control.should_evaluate = False

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:  # noqa: ARG002
        if "loss" not in logs:
            return
        measured = {"step": state.global_step, "loss": logs["loss"], "lr": logs["learning_rate"]}
        if not math.isfinite(logs["loss"]):
            hint = "a lower optim.lr may help"
            raise RecipeError(f"the loss is {logs['loss']} at step {state.global_step}", hint=hint)
        with (self._run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(measured) + "\n")
        numbers, read = (state.global_step, state.max_steps), (self._read(state), self._pairs * self._epochs)
        step = self._clock.step(numbers, read, "pairs", logs["loss"], logs["learning_rate"])
        self._report(step)

    def _read(self, state: Any) -> float:
        """Pairs that were trained on so far."""
        return float(state.global_step / max(state.max_steps, 1) * self._pairs * self._epochs)
