"""The adapter that is trained on a base, and the precision that the two compute in together."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig

from mozi_engine.training.recipe import Lora, Weights


def config(lora: Lora) -> LoraConfig:
    """PEFT's configuration of a recipe's adapter."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def learnable(quantised: Any) -> Any:
    """The base in 4 bits, whose every layer passes gradients on, after an evaluation as before it.

    On a processor with AVX512-BF16, bitsandbytes packs the weights in the first evaluation, for a product
    that has no gradient (and takes 9 times as long on rows of 512 tokens): the layers below learn nothing.
    """
    for module in quantised.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return quantised


def mixed(adapted: Any, weights: Weights) -> Any:
    """The adapted model, computing in bfloat16 throughout where its base does; the adapter stays float32.

    Without this PEFT copies what every layer reads to float32 for the adapter: a step of 1.8 billion
    parameters takes 1.3 times as long, and more memory (two cores with AVX512-BF16).
    """
    if weights is Weights.float32:
        return adapted
    for module in adapted.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    adapted.forward = torch.autocast(device, torch.bfloat16)(adapted.forward)
    return adapted
