"""A causal language model in torch, to measure what it finds likely, with and without its adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from mozi_engine.generation import loading, template
from mozi_engine.types import Turn

_UNBOUNDED = 1 << 30
_POSITIONS = 256  # whose logits are made float32 at a time: a large vocabulary's would not fit all at once


class LanguageModel:
    """The model and tokenizer of that name or in that folder, and an adapter on it; never downloads.

    Runs on the GPU where there is one, in the weights' own type; on a CPU in float32. `context` is the most
    tokens it reads at once, `vocabulary` how many it knows, `begin` what its tokenizer puts before a text: a
    token, or nothing. Raises ModelError when it does not load.
    """

    def __init__(self, model: str, adapter: Path | None = None) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "auto" if device == "cuda" else torch.float32
        disable_progress_bar()
        self._tokenizer = template.tokenizer(model)
        try:
            loaded = AutoModelForCausalLM.from_pretrained(model, **loading.HERE, dtype=dtype)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise loading.unusable(model, f"does not load: {reason}", error) from error
        if adapter:
            loaded = loading.adapted(loaded, loading.adapter(adapter))
        self._model = loaded.to(device).eval()
        self.context: int = getattr(loaded.config, "max_position_embeddings", None) or _UNBOUNDED
        self.vocabulary: int = loaded.config.vocab_size
        self.begin = template.begin(self._tokenizer)
        self._device = device

    def tokens(self, text: str) -> list[int]:
        """The text's token ids, no special ones added."""
        return template.ids(self._tokenizer, text)

    @contextmanager
    def without_adapter(self) -> Iterator[None]:
        """The base model, as if no adapter were on it."""
        if isinstance(self._model, PeftModel):
            with self._model.disable_adapter():
                yield
        else:
            yield

    def conversation(self, turns: Sequence[Turn]) -> list[int]:
        """The tokens of a conversation, up to where the next reply begins, as in training."""
        return template.ids(self._tokenizer, template.render(self._tokenizer, turns))

    def nats(self, tokens: Sequence[int], known: int = 1) -> float:
        """The negative log likelihood of all tokens after the first `known`, summed.

        Of what is longer than `context`, the beginning is dropped, as far as it is known.
        """
        dropped = min(max(0, len(tokens) - self.context), known - 1)
        tokens, known = tokens[dropped:], known - dropped
        ids = torch.tensor([tokens], device=self._device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids).logits[0, known - 1 : -1]
        total = 0.0
        for start in range(0, len(logits), _POSITIONS):
            part = logits[start : start + _POSITIONS].float()
            targets = ids[0, known + start : known + start + len(part)]
            total += float(cross_entropy(part, targets, reduction="sum"))
        return total

    def logits(self, tokens: Sequence[int], options: Sequence[int]) -> list[float]:
        """How likely each of the tokens `options` is to come next, as logits. Long texts lose their start."""
        ids = torch.tensor([tokens[-self.context :]], device=self._device)
        with torch.inference_mode():
            last = self._model(input_ids=ids).logits[0, -1].float()
        return [float(last[option]) for option in options]
