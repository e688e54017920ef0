"""The tokenizer that lies in a GGUF model, as transformers reads it."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from mozi_engine.errors import DataError


def read(model: Path) -> str:
    """The tokenizer as a `tokenizer.json`. Raises DataError where transformers cannot make it out."""
    try:
        made = AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name, trust_remote_code=False)
        return str(made.backend_tokenizer.to_str())
    except (ImportError, OSError, ValueError, KeyError, AttributeError) as error:
        hint = "give the tokenizer.json of the model with --tokenizer"
        raise DataError(f"the tokenizer of {model} cannot be read: {error}", hint=hint) from error
