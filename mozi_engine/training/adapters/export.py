"""A training's adapter for other programs: merged into its base, or as a GGUF file for llama.cpp.

An export appears at its place only when it does what its source does; `agreement` says how near that is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH_NAMES, GGUFType, GGUFWriter, Keys, get_tensor_name_map
from torch import Tensor

from mozi_engine.errors import ModelError
from mozi_engine.generation import loading, template
from mozi_engine.generation.llamacpp import LlamaCpp
from mozi_engine.models import gguf
from mozi_engine.models.gguf import Shape
from mozi_engine.training.adapters import agreement
from mozi_engine.training.adapters.agreement import Agreement, Said

# Whose queries and keys llama.cpp keeps in the order of LLaMA's own code, pairs of a rotation side by side;
# transformers keeps a rotation's halves apart.
_PAIRED = ("llama", "baichuan", "deci", "granite", "granitemoe", "minicpm", "xverse")


def merged(run: Path, out: Path, *, base: str = "") -> Agreement:
    """Write the base with the adapter added to its weights, and the tokenizer, as transformers keeps them.

    `base` is its folder, where it is not at the place that the adapter tells. Memory: the model's weights.
    Raises ModelError, DataError.
    """
    adapter = loading.adapter(run)
    base = base or loading.base(adapter)
    tokenizer = template.tokenizer(base)
    model = loading.adapted(loading.model(base), adapter).eval()
    beginnings = agreement.prompts(tokenizer)
    source, tokens = agreement.of(model, beginnings)
    rounding = 0.0 if model.dtype == torch.float32 else agreement.ROUNDING
    with loading.kept(out) as part:
        model.merge_and_unload().save_pretrained(str(part))
        tokenizer.save_pretrained(str(part))
        del model
        export = agreement.said(loading.model(part).eval(), beginnings).gather(-1, tokens)
        return agreement.demand(agreement.compared(source, Said(source.alone, export), rounding), base)


def lora(run: Path, out: Path, onto: Path, *, base: str = "") -> Agreement:
    """Write the adapter as a GGUF file for llama.cpp, which puts it on `onto`: the base as a GGUF file.

    What llama.cpp then makes of it is compared with torch, each against its own base. Raises ModelError,
    DataError.
    """
    adapter = loading.adapter(run)
    base = base or loading.base(adapter)
    beginnings = agreement.prompts(template.tokenizer(base))
    with loading.kept(out) as part:
        _write(adapter, gguf.shape(onto), part)
        source, tokens = agreement.of(loading.adapted(loading.model(base), adapter).eval(), beginnings)
        context = len(beginnings[-1]) + 8
        # No states: nothing is remembered of a test.
        model = LlamaCpp(onto, name=onto.stem, context=context, states=part / "none", adapter=part)
        export = Said(*(_said(model, beginnings, tokens, adapted=each) for each in (False, True)))
        return agreement.demand(agreement.compared(source, export), onto.name)


def _said(model: LlamaCpp, beginnings: Sequence[Sequence[int]], tokens: Tensor, *, adapted: bool) -> Tensor:
    rows = []
    for beginning, wanted in zip(beginnings, tokens.tolist(), strict=True):
        found = model.log_probabilities(beginning, adapted=adapted)
        least = min(found.values())  # of those that are not listed, the most
        rows.append([found.get(token, least) for token in wanted])
    return torch.tensor(rows)


def _write(adapter: Path, shape: Shape, path: Path) -> None:
    """The LoRA file: each matrix by llama.cpp's name for the weight that it is added to."""
    names = get_tensor_name_map(_architecture(shape), shape.layers)
    writer = GGUFWriter(path, shape.architecture)
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string(Keys.Adapter.TYPE, "lora")
    writer.add_float32(Keys.Adapter.LORA_ALPHA, _alpha(adapter))
    for key, weight in loading.lora(adapter).items():
        module, _, part = key.removesuffix(".weight").rpartition(".lora_")
        own = names.get_name(module.removeprefix("base_model.model."))
        if own is None or part not in ("A", "B"):
            raise ModelError(f"llama.cpp has no place for {key}", hint="a plain LoRA is what it takes")
        if part == "B" and shape.architecture in _PAIRED:
            weight = _paired(module, weight, shape)
        writer.add_tensor(f"{own}.weight.lora_{part.lower()}", _numpy(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _architecture(shape: Shape) -> Any:
    found = next((each for each, name in MODEL_ARCH_NAMES.items() if name == shape.architecture), None)
    if found is None:
        raise ModelError(f"gguf knows no architecture {shape.architecture!r}", hint="pip install -U gguf")
    return found


def _alpha(adapter: Path) -> float:
    """By which llama.cpp scales, divided by the rank."""
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * rank**0.5 if config.get("use_rslora") else alpha


def _paired(module: str, weight: Tensor, shape: Shape) -> Tensor:
    """The rows (outputs) of a query's or key's matrix in llama.cpp's order; any other's as they are."""
    heads = {"q_proj": shape.heads, "k_proj": shape.key_heads}.get(module.rpartition(".")[2])
    if heads is None:
        return weight
    return weight.reshape(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _numpy(weight: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(weight.float().numpy())
