"""A language model of random weights and a tokenizer trained here, as transformers and as llama.cpp keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = [
    "We use the tree bank corpus, and the parser is a graph model with many nodes.",
    "What data do they use? How many words are trained? The metric is a score of 97.5 in % of all.",
    "system user assistant System: User: Assistant: Not in the paper. 我们使用图模型。",
]
CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build(
    folder: Path,
    *,
    seed: int = 0,
    template: str | None = CHAT,
    family: str = "llama",
    begun: bool = False,
    **config: float,
) -> Path:
    """Two layers of 32, about 300 tokens; seconds to make, milliseconds to run.

    With `begun` the tokenizer begins every text with token 1.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(1)  # two that wait for each other take longer over so little
    tokenizer = _tokenizer(begun)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "eos_token_id": 0,
        "bos_token_id": None,
        "initializer_range": 0.3,
        **config,
    }
    made = AutoConfig.for_model(family, **shape)
    AutoModelForCausalLM.from_config(made).save_pretrained(folder)
    return folder


def _tokenizer(begun: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["</s>", "<s>"] if begun else ["</s>"]
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    if not begun:
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", bos_token="<s>")


def adapter(base: Path, folder: Path, *, scale: float = 1.0, **config: Any) -> Path:
    """A LoRA adapter of random weights on every linear layer of the base, as a training leaves it."""
    import peft
    import torch

    from mozi_engine.generation import loading

    model = loading.model(base, "float32")
    torch.manual_seed(1)
    options = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **config}
    adapted = peft.get_peft_model(model, peft.LoraConfig(**options, init_lora_weights=False))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            weight.data *= scale
    adapted.save_pretrained(str(folder))
    loading.remember_base(adapted, folder)
    return folder


def gguf(base: Path, path: Path) -> Path:
    """The base as llama.cpp reads it: float32, LLaMA's queries and keys in its own order of rows."""
    import numpy as np
    from gguf import MODEL_ARCH, GGUFWriter, TokenType, get_tensor_name_map
    from safetensors.numpy import load_file

    config = json.loads((base / "config.json").read_text())
    family, heads, layers = config["model_type"], config["num_attention_heads"], config["num_hidden_layers"]
    writer = GGUFWriter(path, family)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    _tokens(writer, json.loads((base / "tokenizer.json").read_text()), TokenType)
    writer.add_chat_template(CHAT)
    names = get_tensor_name_map(MODEL_ARCH[family.upper()], layers)
    for name, tensor in load_file(base / "model.safetensors").items():
        own = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if family == "llama" and (
            count := {"q_proj": heads, "k_proj": config["num_key_value_heads"]}.get(name.split(".")[-2])
        ):
            tensor = tensor.reshape(count, 2, -1, tensor.shape[-1]).swapaxes(1, 2).reshape(tensor.shape)
        writer.add_tensor(own, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokens(writer: Any, tokenizer: Any, kinds: Any) -> None:
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([kinds.CONTROL if token == "</s>" else kinds.NORMAL for token in vocabulary])
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    )
    writer.add_eos_token_id(0)
