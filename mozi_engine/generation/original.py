"""The original Mozi's checkpoints as transformers reads them: its bases of 2023, and LoRA adapters on them.

Baichuan-7B is LLaMA but for one matrix: `W_pack` is the query's, the key's and the value's, one below the
other. Split, a model and an adapter on it are LLaMA's to the bit. No code of a checkpoint is run: not the
Python beside it, and no pickle but of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from mozi_engine.errors import ModelError
from mozi_engine.generation import loading, pieces

_SHAPE = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "hidden_act",
    "initializer_range",
)
_PACKED, _PARTS = "W_pack", ("q_proj", "k_proj", "v_proj")


def convert(folder: Path, out: Path, base: str = "") -> None:
    """Write the model or the adapter in `folder` to `out`, which is new, as transformers and PEFT read it.

    `base` is the model that an adapter was made on, converted; without it, the adapter's own word is kept.
    Raises ModelError, which names what is wrong, and DataError.
    """
    if (folder / "adapter_config.json").is_file():
        config, weights = _json(folder / "adapter_config.json"), loading.lora(folder)
        with loading.kept(out) as part:
            _write_adapter(config, weights, part, base)
    elif (folder / "config.json").is_file():
        with loading.kept(out) as part:
            _write_model(folder, part)
    else:
        hint = "give a model's folder with its config.json, or an adapter's with its adapter_config.json"
        raise ModelError(f"{folder} holds no checkpoint", hint=hint)


def _write_adapter(config: dict[str, Any], weights: Mapping[str, Tensor], out: Path, base: str) -> None:
    modules = config.get("target_modules")
    if not isinstance(modules, list) or config.get("peft_type") != "LORA":
        raise ModelError("this adapter is no LoRA", hint="convert reads those that the original Mozi made")
    config["target_modules"] = [part for each in modules for part in (_PARTS if each == _PACKED else (each,))]
    config["base_model_name_or_path"] = base or config.get("base_model_name_or_path")
    out.mkdir()
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    save_file(dict(_unpacked(weights)), out / "adapter_model.safetensors", {"format": "pt"})


def _write_model(folder: Path, out: Path) -> None:
    told = _json(folder / "config.json")
    _refuse_others(told, folder)
    tokenizer = pieces.tokenizer(folder)
    shape = {"max_position_embeddings": told.get("max_sequence_length", 2048)}
    shape |= {key: told[key] for key in _SHAPE if key in told}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(**shape, **ends, pad_token_id=None, tie_word_embeddings=False)
    config.architectures = [LlamaForCausalLM.__name__]
    out.mkdir()
    config.dtype = _write_weights(folder, out, _expected(config))
    config.save_pretrained(str(out))
    GenerationConfig(**ends).save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))


def _refuse_others(told: Mapping[str, Any], folder: Path) -> None:
    """Models that call themselves so, and are built in another way."""
    kind = told.get("model_type")
    what = {
        kind not in ("llama", "baichuan"): f"a {kind} model",
        "z_loss_weight" in told: "Baichuan 2, whose last layer is normalised",
        kind == "baichuan" and "max_position_embeddings" not in told: "Baichuan-13B, which rotates nothing",
    }
    if True in what:
        raise ModelError(f"{folder} is {what[True]}", hint="convert reads LLaMA and Baichuan-7B")


def _expected(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(weight.shape) for name, weight in LlamaForCausalLM(config).state_dict().items()}


def _write_weights(folder: Path, out: Path, expected: Mapping[str, tuple[int, ...]]) -> torch.dtype:
    """File by file, as they are; the weights' type. Raises ModelError when any is wrong or absent."""
    paths = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not paths:
        raise ModelError(f"{folder} holds no weights", hint="fetch its .safetensors or .bin files too")
    places: dict[str, str] = {}
    kind = torch.float32
    for number, path in enumerate(paths, start=1):
        found = dict(_unpacked(loading.tensors(path)))
        for name, weight in found.items():
            if expected.get(name) != tuple(weight.shape):
                raise ModelError(f"{path}: {name} {tuple(weight.shape)} has no place in it", hint=_DAMAGED)
            kind = weight.dtype
        file = f"model-{number:05}-of-{len(paths):05}.safetensors"
        save_file(found, out / file, {"format": "pt"})
        places |= dict.fromkeys(found, file)
    if absent := sorted(expected.keys() - places.keys()):
        raise ModelError(f"{folder} lacks {absent[0]} and {len(absent) - 1} more", hint=_DAMAGED)
    index = {"metadata": {}, "weight_map": places}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", "utf-8")
    return kind


_DAMAGED = "is config.json its own, and every file there?"


def _unpacked(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The weights with every `W_pack` split; of its LoRA, A reads for all three parts alike."""
    for name, weight in weights.items():
        if name.endswith("rotary_emb.inv_freq"):  # computed, not learned
            continue
        if f".{_PACKED}." not in name:
            yield name, weight.contiguous()
            continue
        for part, split in zip(_PARTS, _three(name, weight), strict=True):
            yield name.replace(_PACKED, part), split.clone()


def _three(name: str, weight: Tensor) -> Sequence[Tensor]:
    if ".lora_A." in name:
        return [weight] * 3
    if weight.shape[0] % 3:
        raise ModelError(f"{name} {tuple(weight.shape)} is not three matrices", hint=_DAMAGED)
    return list(weight.chunk(3))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="fetch it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no object", hint="fetch it again")
    return found
