"""A language model of random weights and a tokenizer trained here, in a folder as transformers keeps them."""

from __future__ import annotations

from pathlib import Path

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


def build(folder: Path, *, seed: int = 0, template: str | None = CHAT, **config: int) -> Path:
    """Two layers of 32, about 300 tokens; seconds to make, milliseconds to run."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)  # two that wait for each other take longer over so little
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["</s>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(fast),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "eos_token_id": 0,
        "bos_token_id": None,
        **config,
    }
    model = LlamaForCausalLM(LlamaConfig(**shape, initializer_range=0.3))
    model.save_pretrained(folder)
    return folder
