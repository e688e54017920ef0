"""A causal model of a few thousand random weights, with a tokenizer and an adapter, made for one test run."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXTS = ["Yes No Answer the question with Evidence: graph nodes data model", "Question: Answer:\nYes\nNo ."]


def save(folder: Path, context: int = 64) -> Path:
    """Write the model and its tokenizer; returns the folder."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=320,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=context,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_adapter(model: Path, folder: Path) -> Path:
    """Write a LoRA adapter with random weights, which changes what the model says; returns the folder."""
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    base = transformers.AutoModelForCausalLM.from_pretrained(model)
    config = peft.LoraConfig(target_modules=["q_proj", "down_proj"], r=4, init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(folder)
    return folder
