from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

import torch
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Gemma3TextConfig
from typer.testing import CliRunner

from mozi_cli.train import app
from mozi_engine.datasets import tokenizing
from mozi_engine.datasets.shards import Shard
from mozi_engine.errors import DataError
from mozi_engine.generation import loading
from mozi_engine.training.llm import documents, pretrain
from mozi_engine.training.llm.progress import Evaluated
from mozi_engine.training.llm.rows import IGNORED, Row, Rows, batch, tokens
from mozi_engine.training.recipe import CorpusData, Lora, PretrainRecipe, written
from mozi_engine.training.runs import history
from mozi_engine.training.runs.step import Step
from tests import tiny_llama
from tests.trainings import after, killed, metrics, pretraining, same, together, trained


def shards(parts: Sequence[Sequence[int]]) -> list[Shard]:
    """Shards of documents of those lengths, in which no token is like another."""
    made, start = [], 0
    for sizes in parts:
        tokens = np.arange(start, start + sum(sizes), dtype="<u4")
        made.append(Shard(tokens, np.cumsum(sizes).astype("<u8")))
        start += sum(sizes)
    return made


def write(folder: Path, split: str, lengths: Sequence[int], seed: int) -> None:
    """A split of two shards, whose documents say the same few words over and over."""
    random = Random(seed)  # noqa: S311
    (folder / split).mkdir(parents=True)
    for number in range(2):
        sizes = lengths[number::2]
        # Ids of whole words, each document with two of its own; the end token is 0.
        made = [[*random.choices(range(260, 262 + number), k=size - 1), 0] for size in sizes]
        tokens = np.array([token for document in made for token in document], dtype="<u2")
        tokens.tofile(folder / split / f"{number:05d}.bin")
        np.cumsum(sizes).astype("<u8").tofile(folder / split / f"{number:05d}.idx")


def corpus(folder: Path, base: Path) -> Path:
    write(folder, "train", [7, 150, 40, 3, 90, 64, 1, 30, 200, 11], 1)
    write(folder, "held_out", [50, 20, 70], 2)
    digest = tokenizing.choose(str(base / "tokenizer.json")).sha256
    options = {"tokenizer": digest, "bytes_a_token": 2}
    (folder / "manifest.json").write_text(json.dumps({"options": options}))
    return folder


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> PretrainRecipe:
    made = corpus(tmp_path / "corpus", tiny_base)
    return pretraining(tiny_base, made, length=64, epochs=2, evaluate_every=3)


def read(rows: Rows) -> list[int]:
    return [token for number in range(len(rows)) for text in rows[number] for token in text.ids]


parts = st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=8), min_size=1, max_size=4)


BEGIN = 1 << 30


@given(parts, st.sampled_from([(), (BEGIN,)]), st.integers(3, 40), st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_every_token_stands_in_one_row_of_an_epoch(
    parts: list[list[int]], begin: tuple[int, ...], length: int, step: int, seed: int
) -> None:
    made, total = shards(parts), sum(map(sum, parts))
    whole = total + len(begin) * sum(map(len, parts))
    try:
        rows = documents.epochs(made, begin, length, step, 1, 0, seed)
    except DataError:
        assert whole < 2 * -(-whole // ((length - len(begin)) * step)) * step
        return
    assert sorted(token for token in read(rows) if token != BEGIN) == list(range(total))
    assert len(rows) % step == 0
    sizes = [tokens(rows[number]) for number in range(len(rows))]
    assert 1 <= min(sizes) <= max(sizes) <= length
    assert max(sizes) - min(sizes) <= 1 + 2 * len(begin)
    begins = [len(begin) * len(rows[number]) for number in range(len(rows))]
    assert rows.sizes.tolist() == [size - more for size, more in zip(sizes, begins, strict=True)]
    ends = {int(end) for end in np.cumsum([size for sizes in parts for size in sizes])}
    for number in range(len(rows)):
        for text in rows[number]:
            ids = text.ids[len(begin) :]
            assert text.ids == (*begin, *range(ids[0], ids[-1] + 1))
            assert not ends & {*ids[1:]}  # where a document begins, a text begins
            assert text.labels == (IGNORED, *text.ids[1:])


def test_epochs_have_the_same_rows_in_another_order() -> None:
    made = shards([[30, 50], [200]])
    twice = documents.epochs(made, (), 16, 2, 2, 0, 0)
    half = len(twice) // 2
    first, second = ([twice[number] for number in range(*ends)] for ends in ((0, half), (half, 2 * half)))
    assert first != second
    assert Counter(first) == Counter(second)
    few = documents.epochs(made, (), 16, 2, 2, 3, 0)
    assert [few[number] for number in range(len(few))] == first[:6]


def test_as_much_is_held_out_as_is_asked_for() -> None:
    made = shards([[100, 300]])
    assert sorted(read(documents.sample(made, (), 32, 0, 0))) == list(range(400))
    some = documents.sample(made, (), 32, 100, 0)
    assert len(some) == 4
    assert read(some) != read(documents.sample(made, (), 32, 100, 1))


def test_too_few_tokens_for_a_step_are_refused() -> None:
    with pytest.raises(DataError, match="9 tokens are too few for a step of 8 rows"):
        documents.epochs(shards([[9]]), (), 4, 8, 1, 0, 0)


def gemma(base: Path) -> Any:
    """Gemma 3's attention: every other layer sees the last few tokens only."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 320}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 16}
    config = Gemma3TextConfig(**shape, **heads, layer_types=["sliding_attention", "full_attention"])
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "build", [gemma, lambda base: loading.model(base, "float32")], ids=["gemma", "llama"]
)
def test_the_loss_of_a_row_is_that_of_its_texts(
    recipe: PretrainRecipe, tiny_base: Path, build: Any, attention: str
) -> None:
    model = build(tiny_base).eval()
    model.set_attn_implementation(attention)
    model.config.use_cache = False
    rows = pretrain.data(recipe).train
    packed = [rows[number] for number in range(6)]
    texts = [text for row in packed for text in row if text.targets]
    assert len(texts) > len(packed)
    with torch.no_grad():
        parts = sum(
            model(input_ids=torch.tensor([text.ids]), labels=torch.tensor([text.labels])).loss * text.targets
            for text in texts
        )
        whole = model(**batch(packed)).loss
    assert float(whole) == pytest.approx(float(parts) / sum(text.targets for text in texts), rel=1e-5)


def test_training_lowers_the_loss_on_what_is_held_out(recipe: PretrainRecipe, tmp_path: Path) -> None:
    ended, events = trained(recipe, tmp_path / "run")
    assert ended.adapter == tmp_path / "run" / "adapter"
    measured = [event for event in events if isinstance(event, Evaluated)]
    assert [event.step for event in measured] == [0, 3, 6, 9, 10]
    assert measured[-1].loss < measured[0].loss
    found = pretrain.data(recipe)
    assert (found.documents, found.once, found.tokens) == (10, 596, 2 * 596)
    assert ended.total == len(found.train) // 2
    assert history.read(tmp_path / "run").kind == "pretrain"


def test_a_stopped_run_that_goes_on_equals_an_unbroken_one(recipe: PretrainRecipe, tmp_path: Path) -> None:
    ended, _ = trained(recipe, tmp_path / "run", stopped=after(3))
    assert (ended.done, ended.adapter) == (3, None)
    trained(recipe, tmp_path / "run", resume=True)
    trained(recipe, tmp_path / "unbroken")
    assert same(tmp_path / "run", tmp_path / "unbroken")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "unbroken")


def test_a_killed_run_that_is_resumed_equals_an_unbroken_one(recipe: PretrainRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "unbroken")
    killed(recipe, tmp_path / "killed", step=5)
    _, events = trained(recipe, tmp_path / "killed", resume=True)
    assert isinstance(events[0], Step)
    assert events[0].done == 5
    assert same(tmp_path / "killed", tmp_path / "unbroken")
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "unbroken")


def train_and_note(recipe: PretrainRecipe, run: Path) -> None:
    """Train, and write down which rows this process read, of how many."""
    whole = documents.Documents.__getitem__
    with run.with_name(f"seen{os.environ['RANK']}").open("w") as seen:

        def noted(self: documents.Documents, number: int) -> Row:
            seen.write(json.dumps([int(self._order[number]), len(self)]) + "\n")
            return whole(self, number)

        documents.Documents.__getitem__ = noted  # type: ignore[method-assign]
        trained(recipe, run)


def test_processes_read_every_row_once_together(recipe: PretrainRecipe, tmp_path: Path) -> None:
    """And what they learn is what one learns that accumulates twice."""
    quiet = replace(recipe, lora=Lora(rank=4, alpha=8), epochs=1)
    trained(replace(quiet, accumulate=2), tmp_path / "one")
    together(train_and_note, quiet, tmp_path / "two")
    rows = len(pretrain.data(quiet, 2).train)
    noted = [[json.loads(line) for line in (tmp_path / f"seen{rank}").open()] for rank in (0, 1)]
    learned = [[place for place, of in each if of == rows] for each in noted]
    assert len(learned[0]) == len(learned[1])
    assert sorted(learned[0] + learned[1]) == list(range(rows))
    assert same(tmp_path / "one", tmp_path / "two", 1e-4)


def test_a_corpus_of_another_tokenizer_is_refused(recipe: PretrainRecipe, tmp_path: Path) -> None:
    manifest = Path(recipe.data.corpus) / "manifest.json"
    manifest.write_text('{"options": {"tokenizer": "0", "bytes_a_token": 2}}')
    with pytest.raises(DataError, match="another tokenizer"):
        pretrain.data(recipe)
    manifest.write_text("{")
    with pytest.raises(DataError, match="is no corpus"):
        trained(recipe, tmp_path / "run")


def test_a_text_begins_as_the_tokenizer_begins_one(recipe: PretrainRecipe, tmp_path: Path) -> None:
    found = pretrain.data(recipe)
    assert found.tokens == 2 * found.once
    base = tiny_llama.build(tmp_path / "base", begun=True)
    begun = replace(recipe, base=str(base), data=CorpusData(str(corpus(tmp_path / "begun", base))))
    found = pretrain.data(begun)
    for rows in (found.train, found.held_out):
        assert {text.ids[0] for number in range(len(rows)) for text in rows[number]} == {1}
    assert found.tokens == 2 * found.once


def test_without_held_out_documents_nothing_is_measured(recipe: PretrainRecipe, tmp_path: Path) -> None:
    (Path(recipe.data.corpus) / "held_out").rename(tmp_path / "elsewhere")
    _, events = trained(replace(recipe, steps=2), tmp_path / "run")
    assert [type(event) for event in events] == [Step, Step]


def test_a_plan_says_what_would_be_read(recipe: PretrainRecipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(written(recipe))

    def planned(*changes: str) -> Result:
        words = ["pretrain", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), "--dry-run"]
        return CliRunner().invoke(app, [*words, *changes])

    plan = planned()
    assert "10 documents, 596 tokens; 20 rows, 1192 tokens, 10 steps; held out: 3 rows" in plan.stderr
    assert "length: 64" in plan.stdout
    assert not (tmp_path / "run").exists()
    assert "torch.distributed.run" in planned("--gpus", "2").stderr
    assert "is no corpus" in str(planned(f"data.corpus={tmp_path}").exception)
