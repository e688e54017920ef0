"""A training on a base in 4 bits, on whatever bitsandbytes runs on here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")
pytest.importorskip("bitsandbytes")

import torch
from bitsandbytes import functional

from mozi_engine.generation import loading
from mozi_engine.training.recipe import ConversationData, Weights
from tests import tiny_llama
from tests.trainings import after, metrics, same, sft, talks, trained, weights, write


@pytest.fixture(scope="module", autouse=True)
def _quantises() -> None:
    try:
        functional.quantize_4bit(torch.ones(64, 64, device=loading.device()), quant_type="nf4")
    except (RuntimeError, NotImplementedError, OSError, AttributeError) as error:
        pytest.skip(f"bitsandbytes has no 4 bits here: {error}")


def test_a_base_in_4_bits_is_trained_on_and_resumed_to_the_same_adapter(tmp_path: Path) -> None:
    base = tiny_llama.build(tmp_path / "base", hidden_size=64, intermediate_size=128)
    data = write(tmp_path / "sft.jsonl", talks(8))
    recipe = replace(sft(base, data, steps=2), weights=Weights.nf4)
    layer = loading.model(base, "nf4").model.layers[0].mlp.up_proj
    assert type(layer).__name__ == "Linear4bit"
    ended, _ = trained(recipe, tmp_path / "unbroken")
    assert ended.done == 2
    assert any(part.any() for name, part in weights(tmp_path / "unbroken").items() if "lora_B" in name)
    stopped, _ = trained(recipe, tmp_path / "resumed", stopped=after(1))
    assert (stopped.done, stopped.adapter) == (1, None)
    trained(recipe, tmp_path / "resumed", resume=True)
    assert same(tmp_path / "resumed", tmp_path / "unbroken")
    assert metrics(tmp_path / "resumed") == metrics(tmp_path / "unbroken")


def test_an_evaluation_changes_nothing_of_what_a_base_in_4_bits_learns(tmp_path: Path) -> None:
    base = tiny_llama.build(tmp_path / "base", hidden_size=64, intermediate_size=128)
    data = write(tmp_path / "sft.jsonl", talks(8))
    recipe = replace(sft(base, data, steps=3), weights=Weights.nf4)
    trained(recipe, tmp_path / "unmeasured")
    measured = replace(recipe, data=ConversationData([data], [data]), evaluate_every=1)
    trained(measured, tmp_path / "measured")
    assert losses(tmp_path / "measured") == losses(tmp_path / "unmeasured")


def losses(run: Path) -> list[float]:
    """What each step lost."""
    return [line["loss"] for line in metrics(run) if "loss" in line]
