"""The adapter beside its base: in which precision it is kept, and in which it computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("omegaconf")

import torch
from peft import get_peft_model

from mozi_engine.generation import loading
from mozi_engine.training import lora
from mozi_engine.training.recipe import Lora, Weights
from tests import tiny_llama
from tests.trainings import metrics, sft, talks, trained, weights, write


def test_a_base_in_bfloat16_teaches_what_it_teaches_in_float32(tmp_path: Path) -> None:
    base = tiny_llama.build(tmp_path / "base", hidden_size=64, intermediate_size=128)
    recipe = sft(
        base, write(tmp_path / "sft.jsonl", talks(8)), steps=3, lora=Lora(rank=4, alpha=8, dropout=0.0)
    )
    losses = {}
    for each in (Weights.float32, Weights.bfloat16):
        trained(replace(recipe, weights=each), tmp_path / each.value)
        losses[each] = [line["loss"] for line in metrics(tmp_path / each.value) if "loss" in line]
    assert losses[Weights.bfloat16] == pytest.approx(losses[Weights.float32], rel=0.01)
    assert {part.dtype for part in weights(tmp_path / "bfloat16").values()} == {torch.float32}


@pytest.mark.parametrize("precision", [Weights.float32, Weights.bfloat16])
def test_the_adapter_computes_in_the_precision_of_its_base(tmp_path: Path, precision: Weights) -> None:
    base = loading.model(tiny_llama.build(tmp_path / "base"), precision.value)
    model = lora.mixed(get_peft_model(base, lora.config(Lora(rank=4, alpha=8, dropout=0.0))), precision)
    seen: list[torch.dtype] = []

    def see(_: Any, read: tuple[torch.Tensor, ...], said: torch.Tensor) -> None:
        seen.extend((read[0].dtype, said.dtype))

    layers = [part for name, part in model.named_modules() if name.endswith("lora_A.default")]
    for layer in layers:
        layer.register_forward_hook(see)
    model(torch.tensor([[1, 2, 3]], device=loading.device()))
    assert {str(each) for each in seen} == {f"torch.{precision.value}"}
    assert len(seen) == 2 * len(layers) > 0
    assert {layer.weight.dtype for layer in layers} == {torch.float32}
