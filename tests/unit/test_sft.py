from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from mozi_cli import steps
from mozi_engine.errors import DataError, ModelError, RecipeError
from mozi_engine.generation import loading, template
from mozi_engine.training.llm import causal, conversations, finetune, trainer
from mozi_engine.training.llm.conversations import packed
from mozi_engine.training.llm.progress import Beyond, Evaluated, Shortened
from mozi_engine.training.llm.rows import IGNORED, Example, Row, batch
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.recipe import ConversationData, Lora, LossOn, Optim, SftRecipe
from mozi_engine.training.runs import resuming
from mozi_engine.training.runs.step import Step
from tests import tiny_llama
from tests.trainings import ANSWERS, ASKED, after, killed, metrics, same, sft, talks, together, trained, write


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Any:
    return template.tokenizer(tiny_base)


@pytest.fixture
def recipe(tiny_base: Path, tmp_path: Path) -> SftRecipe:
    return sft(tiny_base, write(tmp_path / "sft.jsonl", talks()))


def example(tokenizer: Any, turns: list[tuple[str, str]], *, all_turns: bool = False) -> Example:
    record = {"messages": [{"role": role, "content": text} for role, text in turns]}
    said = [conversations._conversation("here", json.dumps(record))]
    (found,) = conversations.examples(said, tokenizer, 512, all_turns=all_turns).items
    return found


def test_only_what_the_assistant_says_is_learned_and_its_end(tokenizer: Any) -> None:
    turns = [("user", "Hi?"), ("assistant", "Yes."), ("user", "Why?"), ("assistant", "图模型。")]
    found = example(tokenizer, turns)
    learned = [label for label in found.labels if label != IGNORED]
    assert tokenizer.decode(learned) == "Yes.</s>图模型。</s>"
    whole = "<|user|>Hi?\n<|assistant|>Yes.</s>\n<|user|>Why?\n<|assistant|>图模型。</s>\n"
    assert tokenizer.decode(list(found.ids)) == whole
    assert example(tokenizer, turns, all_turns=True).targets > found.targets


def test_the_prompt_learned_from_is_the_prompt_that_is_asked(tokenizer: Any) -> None:
    found = example(tokenizer, [("user", "Hi?"), ("assistant", "Yes.")])
    prompt = template.ids(tokenizer, template.render(tokenizer, [conversations.Turn("user", "Hi?")]))
    assert list(found.ids[: len(prompt)]) == prompt
    assert set(found.labels[: len(prompt)]) == {IGNORED}


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=40)


@given(lengths, st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_packing_loses_nothing_and_keeps_to_the_length(sizes: list[int], seed: int) -> None:
    items = [Example((number,) * size, (IGNORED,) * size) for number, size in enumerate(sizes)]
    rows = packed(items, 30, seed)
    assert sorted(each.ids for row in rows for each in row) == sorted(each.ids for each in items)
    assert all(sum(len(each.ids) for each in row) <= 30 for row in rows)
    assert rows == packed(items, 30, seed)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_loss_of_a_packed_batch_is_that_of_its_parts(
    tiny_base: Path, tokenizer: Any, attention: str
) -> None:
    model = loading.model(tiny_base, "float32").eval()
    model.set_attn_implementation(attention)
    model.config.use_cache = False
    texts = [[("user", asked), ("assistant", answer)] for asked, answer in zip(ASKED, ANSWERS, strict=True)]
    items = [example(tokenizer, turns) for turns in texts]
    with torch.no_grad():
        parts = sum(
            model(input_ids=torch.tensor([e.ids]), labels=torch.tensor([e.labels])).loss * e.targets
            for e in items
        )
        whole = model(**batch([(items[0], items[1], items[2]), (items[3],)])).loss
    assert float(whole) == pytest.approx(float(parts) / sum(e.targets for e in items), rel=1e-5)


def test_training_lowers_the_loss_and_leaves_an_adapter(recipe: SftRecipe, tmp_path: Path) -> None:
    held_out = ConversationData(recipe.data.train, recipe.data.train)
    ended, events = trained(
        replace(recipe, data=held_out, epochs=2, packed=True, length=128), tmp_path / "run"
    )
    assert ended.adapter == tmp_path / "run" / "adapter"
    before, after = [event for event in events if isinstance(event, Evaluated)]
    assert after.loss < before.loss
    told = [event for event in events if isinstance(event, Step)]
    assert [each.done for each in told] == list(range(1, ended.total + 1))
    assert all(each.speed > 0 and each.bytes > 0 for each in told)
    measured = metrics(tmp_path / "run")
    assert [each["loss"] for each in measured if "loss" in each] == [each.loss for each in told]
    modules = json.loads((ended.adapter / "adapter_config.json").read_text())["target_modules"]
    assert {name.rpartition(".")[2] for name in modules} == {
        *"q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split()
    }
    assert len([*(tmp_path / "run" / "checkpoints").glob("checkpoint-*")]) == recipe.keep


def test_accumulation_and_activation_checkpointing_change_nothing(recipe: SftRecipe, tmp_path: Path) -> None:
    quiet = replace(recipe, lora=Lora(rank=4, alpha=8))
    trained(replace(quiet, batch=4), tmp_path / "one")
    trained(replace(quiet, batch=1, accumulate=4), tmp_path / "four")
    trained(replace(quiet, batch=4, checkpointing=True), tmp_path / "twice")
    for other in ("four", "twice"):
        assert same(tmp_path / "one", tmp_path / other, 1e-4)
        for one, changed in zip(metrics(tmp_path / "one"), metrics(tmp_path / other), strict=True):
            assert changed == pytest.approx(one, rel=1e-3)


def test_a_killed_run_that_is_resumed_equals_an_unbroken_one(recipe: SftRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "unbroken")
    killed(recipe, tmp_path / "killed", step=5)
    half = tmp_path / "killed" / "checkpoints" / "checkpoint-5"
    half.mkdir()  # as if it had been killed while it saved
    (half / "optimizer.pt").write_bytes(b"half")
    _, events = trained(recipe, tmp_path / "killed", resume=True)
    assert isinstance(events[0], Step)
    assert events[0].done == 5
    assert same(tmp_path / "killed", tmp_path / "unbroken")
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "unbroken")


def test_two_processes_are_one_that_accumulates_twice(recipe: SftRecipe, tmp_path: Path) -> None:
    recipe = replace(recipe, lora=Lora(rank=4, alpha=8), data=ConversationData(*[recipe.data.train] * 2))
    trained(replace(recipe, accumulate=2), tmp_path / "one")
    together(trained, recipe, tmp_path / "two")
    assert same(tmp_path / "one", tmp_path / "two", 1e-4)
    measured = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert [each["step"] for each in measured[0]] == [each["step"] for each in measured[1]]
    for one, two in zip(*measured, strict=True):
        for name in {"loss", "held_out_loss"} & one.keys():
            assert one[name] == pytest.approx(two[name], rel=1e-3)


def test_a_stopped_run_saves_and_goes_on(recipe: SftRecipe, tmp_path: Path) -> None:
    ended, _ = trained(recipe, tmp_path / "run", stopped=after(3))
    assert (ended.done, ended.adapter) == (3, None)
    ended, events = trained(recipe, tmp_path / "run", resume=True)
    assert events[0].done == 4  # type: ignore[union-attr]
    assert ended.adapter
    trained(recipe, tmp_path / "unbroken")
    assert same(tmp_path / "run", tmp_path / "unbroken")


def test_an_earlier_adapter_is_trained_on(recipe: SftRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "first")
    again = replace(recipe, adapter=str(tmp_path / "first"), optim=Optim(lr=1e-9))
    trained(again, tmp_path / "second")
    assert same(tmp_path / "first", tmp_path / "second", 1e-6)
    with pytest.raises(RecipeError, match="rank 4"):
        trained(replace(again, lora=Lora(rank=8, alpha=8)), tmp_path / "third")
    other = replace(again, base=str(tiny_llama.build(tmp_path / "other", seed=3)))
    with pytest.raises(ModelError, match="another base"):
        trained(other, tmp_path / "fourth")


def test_an_earlier_adapter_is_trained_on_with_the_recipes_dropout(recipe: SftRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "first")
    again = replace(recipe, steps=1, adapter=str(tmp_path / "first"), lora=Lora(4, 8, dropout=0.5))
    ended, _ = trained(again, tmp_path / "second")
    assert ended.adapter
    assert json.loads((ended.adapter / "adapter_config.json").read_text())["lora_dropout"] == 0.5
    trained(replace(again, lora=Lora(4, 8, dropout=0.0)), tmp_path / "third")
    assert metrics(tmp_path / "second")[0]["loss"] != metrics(tmp_path / "third")[0]["loss"]


def test_a_run_of_another_recipe_is_refused(recipe: SftRecipe, tmp_path: Path) -> None:
    trained(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="not empty"):
        trained(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="another recipe"):
        trained(replace(recipe, seed=1), tmp_path / "run", resume=True)


def test_a_run_whose_data_changed_is_not_gone_on_with(recipe: SftRecipe, tmp_path: Path) -> None:
    kept = Path(recipe.data.train[0])
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(kept.read_bytes())
    mine = replace(recipe, data=ConversationData([str(moved)]))
    trained(mine, tmp_path / "run")
    first, *rest = moved.read_text("utf-8").splitlines(keepends=True)
    moved.write_text("".join([*rest, first]), "utf-8")
    with pytest.raises(RecipeError, match="other data") as refused:
        trained(mine, tmp_path / "run", resume=True)
    assert "as they were" in str(refused.value.hint)
    moved.write_bytes(kept.read_bytes())
    ended, _ = trained(mine, tmp_path / "run", resume=True)
    assert ended.adapter


def test_more_cut_conversations_than_allowed_are_refused(recipe: SftRecipe) -> None:
    longest = max(len(each.ids) for each in finetune.data(recipe).examples.items)
    short = replace(recipe, length=longest - 1)
    with pytest.raises(DataError, match=r"of 16 conversations are longer"):
        finetune.data(short)
    assert finetune.data(replace(short, cut=0.9)).examples.cut > 0
    with pytest.raises(DataError, match="lose their whole answer"):
        finetune.data(replace(recipe, length=5, cut=1.0))


def test_a_run_tells_and_keeps_how_many_conversations_were_cut(
    recipe: SftRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = sorted(len(each.ids) for each in finetune.data(recipe).examples.items)
    short = replace(recipe, length=sizes[2], cut=1.0, steps=1)
    found = finetune.data(short).examples
    assert found.cut
    assert found.lost
    shown = steps.Shown("run", Console(width=200))
    events: list[object] = []
    finetune.train(short, tmp_path / "run", lambda event: (events.append(event), shown(event)))
    expected = Shortened(16, found.cut, found.lost)
    assert [type(event) for event in events[:3]] == [Memory, Shortened, Step]
    assert events[1] == expected
    assert json.loads((tmp_path / "run" / "examples.json").read_text()) == asdict(expected)
    assert f"{found.cut} of 16 conversations are cut, and {found.lost} left out" in capsys.readouterr().out
    finetune.train(replace(recipe, steps=1), tmp_path / "whole", shown)
    assert "cut" not in capsys.readouterr().out


def test_rows_longer_than_the_base_was_made_for_are_told_before_anything_is_loaded(
    recipe: SftRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert causal.beyond(replace(recipe, length=512)) is None
    events: list[object] = []

    def load(*given: object) -> None:
        assert Beyond(513, 512) in events
        raise ModelError("loaded")

    monkeypatch.setattr(loading, "model", load)
    with pytest.raises(ModelError, match="loaded"):
        finetune.train(replace(recipe, length=513), tmp_path / "run", events.append)
    assert "length=512 fits" in steps.beyond(Beyond(513, 512))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        "[]",
        '{"messages": []}',
        '{"messages": [{"role": "user", "content": "Hi"}]}',
        '{"messages": [{"role": "assistant", "content": " "}]}',
        '{"messages": [{"role": "nobody", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]}',
    ],
)
def test_a_line_that_is_no_conversation_is_named(recipe: SftRecipe, tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(talks(1)[0])}\n{line}\n")
    with pytest.raises(DataError, match=r"bad\.jsonl, line 2"):
        finetune.data(replace(recipe, data=ConversationData([str(path)])))


def test_files_without_conversations_are_refused(recipe: SftRecipe, tmp_path: Path) -> None:
    for names in ([str(tmp_path / "nowhere")], [write(tmp_path / "empty.jsonl", [])]):
        with pytest.raises(DataError):
            finetune.data(replace(recipe, data=ConversationData(names)))


@pytest.mark.parametrize(
    ("chat", "told"),
    [
        (tiny_llama.CHAT.replace("{{ eos_token }}", ""), "ends no answer"),
        ("{% for m in messages[-1:] %}{{ m['content'] }}{{ eos_token }}{% endfor %}", "does not append"),
    ],
)
def test_a_template_that_cannot_be_learned_is_refused(
    recipe: SftRecipe, tmp_path: Path, chat: str, told: str
) -> None:
    base = tiny_llama.build(tmp_path / "base", template=chat)
    with pytest.raises(DataError, match=told):
        finetune.data(replace(recipe, base=str(base)))


@pytest.mark.parametrize("broken", [float("nan"), 0.0])
def test_a_loss_that_teaches_nothing_stops_the_run(
    recipe: SftRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: float
) -> None:
    whole: Callable[..., Any] = trainer.Trainer.compute_loss
    monkeypatch.setattr(trainer.Trainer, "compute_loss", lambda *a, **o: whole(*a, **o) * 0 + broken)
    with pytest.raises(RecipeError, match="in step 1"):
        trained(recipe, tmp_path / "run")


UNLEARNED: Row = (Example((5,), (IGNORED,)),) * 2
LEARNED: Row = (Example((5, 6, 7), (IGNORED, 6, 7)),)


def train_on(recipe: SftRecipe, run: Path, train: tuple[Row, ...], held_out: tuple[Row, ...] = ()) -> None:
    """Train on those rows."""
    sizes = np.array([2] * len(train))
    data = causal.Data(train, held_out, sizes, 2, "")
    causal.train(recipe, lambda _: data, run, lambda _: None, measured=bool(held_out))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_without_a_token_to_learn_stops_the_run(
    recipe: SftRecipe, tmp_path: Path, accumulate: int
) -> None:
    one = replace(recipe, batch=1, accumulate=accumulate)
    with pytest.raises(DataError, match="no token to learn"):
        train_on(one, tmp_path / "run", (LEARNED, UNLEARNED))


def test_held_out_rows_without_a_token_to_learn_weigh_nothing(recipe: SftRecipe, tmp_path: Path) -> None:
    train_on(recipe, tmp_path / "with", (LEARNED,), (UNLEARNED, LEARNED))
    train_on(recipe, tmp_path / "without", (LEARNED,), (LEARNED,))
    assert metrics(tmp_path / "with") == metrics(tmp_path / "without")
    with pytest.raises(DataError, match="can be measured"):
        train_on(recipe, tmp_path / "none", (LEARNED,), (UNLEARNED,))


def test_a_held_out_loss_that_is_no_number_stops_the_run_and_is_not_kept(
    recipe: SftRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: Callable[..., Any] = loading.model

    def broken(*given: Any) -> Any:
        model = loaded(*given)
        model.get_output_embeddings().weight.data.fill_(float("nan"))
        return model

    monkeypatch.setattr(loading, "model", broken)
    with pytest.raises(RecipeError, match="held-out loss is nan after step 0"):
        train_on(recipe, tmp_path / "run", (LEARNED,), (LEARNED,))
    assert not (tmp_path / "run" / "best").exists()


def test_metrics_go_back_to_a_step(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    resuming.rewind(metrics, 2)
    assert metrics.read_text() == '{"step": 1}\n{"step": 2}\n'
    resuming.rewind(tmp_path / "none", 2)


def test_loss_on_all_learns_the_questions_too(recipe: SftRecipe) -> None:
    answers = finetune.data(recipe).examples.targets
    assert finetune.data(replace(recipe, loss_on=LossOn.all)).examples.targets > 2 * answers
