from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

from mozi_cli import launching, steps
from mozi_engine.errors import ModelError, RecipeError
from mozi_engine.generation import loading
from mozi_engine.training.distributed.launch import Launch, Launcher
from mozi_engine.training.llm import finetune
from mozi_engine.training.llm.causal import Trained
from mozi_engine.training.memory import estimate
from mozi_engine.training.memory.estimate import Memory
from mozi_engine.training.memory.gauge import Compared
from mozi_engine.training.recipe import Lora, Offload, SftRecipe, Weights, Zero
from tests import tiny_llama
from tests.trainings import sft, write


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> SftRecipe:
    folder = tmp_path_factory.mktemp("memory")
    base = tiny_llama.build(folder / "base", vocab_size=4096, num_hidden_layers=4)
    said = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "The tree bank."}]
    data = write(folder / "sft.jsonl", [{"messages": said}] * 4)
    return sft(base, data, length=128, batch=4, save_every=10)


def test_the_parts_add_up_and_are_said(recipe: SftRecipe) -> None:
    needed = estimate.predict(recipe)
    parts = asdict(needed)
    assert needed.total == sum(parts.values()) - parts["offloaded"]
    told = estimate.told(needed)
    assert told.startswith("about ")
    assert "logits" in told
    assert "exchange" not in told


def test_weights_and_the_adapter_are_those_of_the_model(recipe: SftRecipe) -> None:
    from peft import LoraConfig, get_peft_model

    model = loading.model(recipe.base, "float32")
    needed = estimate.predict(recipe)
    assert needed.weights == 4 * model.num_parameters()
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    adapter, _ = adapted.get_nb_trainable_parameters()
    assert (needed.adapter, needed.gradients, needed.optimizer) == (4 * adapter, 4 * adapter, 8 * adapter)


def test_twice_the_batch_has_twice_the_activations_and_nothing_else(recipe: SftRecipe) -> None:
    one, two = estimate.predict(recipe), estimate.predict(replace(recipe, batch=8))
    assert two.activations + two.logits == pytest.approx(2 * (one.activations + one.logits), rel=0.01)
    assert replace(two, activations=0, logits=0) == replace(one, activations=0, logits=0)


def test_the_logits_are_those_of_the_vocabulary(recipe: SftRecipe) -> None:
    # In float32: themselves, what softmax keeps for its gradient, and the gradient.
    once = 4 * recipe.batch * recipe.length * 4096
    assert 2 * once <= estimate.predict(recipe).logits <= 4 * once


def test_checkpointing_keeps_less(recipe: SftRecipe) -> None:
    less = estimate.predict(replace(recipe, checkpointing=True))
    assert less.activations < estimate.predict(recipe).activations / 2


def test_fewer_bits_are_fewer_bytes(recipe: SftRecipe) -> None:
    nf4, half, full = (
        estimate.predict(replace(recipe, weights=each)).weights
        for each in (Weights.nf4, Weights.bfloat16, Weights.float32)
    )
    assert half * 2 == full
    assert nf4 < full


def test_a_deep_model_is_counted_by_its_layers(recipe: SftRecipe, tmp_path: Path) -> None:
    deep = tiny_llama.build(tmp_path, vocab_size=4096, num_hidden_layers=8)
    four, eight = estimate.predict(recipe), estimate.predict(replace(recipe, base=str(deep)))
    assert eight.activations == pytest.approx(2 * four.activations, rel=0.1)
    assert eight.logits == four.logits


@pytest.mark.parametrize(("stage", "divided"), [(1, 1), (2, 2), (3, 4)])
def test_zero_divides_by_the_processes(recipe: SftRecipe, stage: int, divided: int) -> None:
    one, four = (estimate.predict(replace(recipe, zero=Zero(stage)), processes) for processes in (1, 4))
    for part in ("optimizer", "gradients", "weights", "adapter")[:divided]:
        assert getattr(four, part) == getattr(one, part) // 4
    for part in ("optimizer", "gradients", "weights", "adapter")[divided:]:
        assert getattr(four, part) == getattr(one, part)


def refused(recipe: SftRecipe, monkeypatch: pytest.MonkeyPatch, free: float) -> RecipeError:
    monkeypatch.setattr(estimate, "free", lambda: int(free))
    with pytest.raises(RecipeError) as error:
        estimate.check(recipe)
    return error.value


def test_what_does_not_fit_is_refused_with_the_first_change_that_does(
    recipe: SftRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = estimate.predict(recipe).total
    assert "with checkpointing=true" in str(refused(recipe, monkeypatch, needed - 1).hint)
    smaller = estimate.predict(replace(recipe, checkpointing=True, batch=1, accumulate=4)).total
    hint = str(refused(recipe, monkeypatch, smaller).hint)
    assert hint.endswith("with checkpointing=true batch=1 accumulate=4")
    assert "smaller base" in str(refused(recipe, monkeypatch, 1000).hint)


def test_what_processes_can_divide_and_a_smaller_adapter_are_among_the_changes(
    recipe: SftRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = replace(recipe, checkpointing=True, batch=1, lora=Lora(rank=64, alpha=32))
    divided = estimate.predict(replace(large, zero=Zero(2)), 4).total
    monkeypatch.setattr(estimate, "free", lambda: divided * 4)
    with pytest.raises(RecipeError) as error:
        estimate.check(large, 4, 4)
    assert error.value.hint.endswith(" with zero.stage=2")
    lower = replace(large, weights=Weights.bfloat16, lora=Lora(rank=32, alpha=16))
    hint = refused(large, monkeypatch, estimate.predict(lower).total).hint
    assert hint.endswith(" with weights=bfloat16 lora.rank=32 lora.alpha=16")
    kept = refused(replace(large, adapter="run"), monkeypatch, estimate.predict(lower).total).hint
    assert "lora.rank" not in kept


def test_on_a_gpu_what_is_offloaded_is_among_the_changes(
    recipe: SftRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate.torch.cuda, "is_available", lambda: True)
    changes = [*estimate._changes(replace(recipe, zero=Zero(3)), 2)]
    assert {"zero.stage": 3, "zero.offload": Offload.optimizer} in changes
    assert {"zero.offload": Offload.all} in changes
    alone = [*estimate._changes(recipe, 1)]
    assert {"zero.stage": 2, "zero.offload": Offload.optimizer} in alone
    assert {"zero.stage": 2} not in alone


def test_a_dry_run_says_that_it_does_not_fit_and_what_would(
    recipe: SftRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Launch(Launcher.none)
    assert "fit" not in launching.memory(here, recipe, 0)
    monkeypatch.setattr(estimate, "free", lambda: estimate.predict(recipe).total - 1)
    assert "; it does not fit here: it needs about " in launching.memory(here, recipe, 0)
    assert launching.memory(here, recipe, 0).endswith("with checkpointing=true")


def test_a_hopeless_recipe_is_refused_before_anything_is_loaded(
    recipe: SftRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []
    monkeypatch.setattr(loading, "model", lambda *given: loaded.append(given))
    with pytest.raises(RecipeError, match="are free"):
        finetune.train(replace(recipe, batch=10**9), tmp_path / "run", lambda event: None)
    assert not loaded
    assert not (tmp_path / "run").exists()


def test_a_base_without_a_config_is_an_error(recipe: SftRecipe, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="config"):
        estimate.predict(replace(recipe, base=str(tmp_path)))


def test_a_run_keeps_what_was_predicted_and_tells_it_first(recipe: SftRecipe, tmp_path: Path) -> None:
    events: list[Any] = []
    ended = finetune.train(recipe, tmp_path / "run", events.append)
    needed = estimate.predict(recipe, targets=finetune.data(recipe).targets)
    assert events[0] == needed
    assert needed.logits < estimate.predict(recipe).logits / 2  # an answer is a few tokens of a row
    assert ended.memory
    assert ended.memory.predicted == needed
    kept = json.loads((tmp_path / "run" / "memory.json").read_text())
    assert kept["predicted"] == {**asdict(needed), "total": needed.total}
    assert kept["measured"] == ended.memory.measured


def test_the_closing_line_compares() -> None:
    needed = Memory(10**9, 0, 0, 0, 10**9, 10**9, 0, 0)
    ended = Trained(4, 4, Path("run/adapter"), memory=Compared(needed, 3_100_000_000))
    assert steps.ended(ended).endswith("it took 3.1 GB of memory, predicted 3.0 GB")
    assert "took" not in steps.ended(replace(ended, memory=Compared(needed, None)))
