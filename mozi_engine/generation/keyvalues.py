"""What a transformers model knows of the tokens it has read: keys, values, last hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import DynamicCache


class State:
    """The tokens read so far by one model, and what it needs to go on from them."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.tokens: list[int] = []
        self.hidden = torch.empty(0)  # (tokens, width)
        self._cache = DynamicCache(config=self._model.config)

    def share(self, tokens: Sequence[int]) -> int:
        """Go back to where `tokens` and what was read part; how many of them are known then.

        The last one is never known: its logits are what comes next.
        """
        pairs = zip(self.tokens, tokens[:-1], strict=False)
        same = next((i for i, (one, other) in enumerate(pairs) if one != other), None)
        known = min(len(self.tokens), len(tokens) - 1) if same is None else same
        beyond = len(self.tokens) - known
        if beyond and any(self._cache.is_sliding):  # a window that has moved on cannot go back
            self.clear()
            return 0
        if beyond:
            self._cache.crop(-beyond)
            self.tokens, self.hidden = self.tokens[:known], self.hidden[:known]
        return known

    def read(self, tokens: Sequence[int]) -> Tensor:
        """Read on; the logits (vocabulary,) of what comes next."""
        logits, hidden = self._forward(tokens, logits_to_keep=1)
        self._keep(tokens, hidden)
        return logits[-1]

    def ahead(self, candidates: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Read each candidate as if it came next: logits (k, vocabulary), hidden states (k, width).

        They are read side by side, at the same position, each seeing itself and what was read before. `take`
        must follow.
        """
        known, k = len(self.tokens), len(candidates)
        kind, place = self.hidden.dtype, self.hidden.device
        unseen = torch.full((k, k), torch.finfo(kind).min, dtype=kind, device=place).fill_diagonal_(0)
        mask = torch.cat([torch.zeros(k, known, dtype=kind, device=place), unseen], dim=1)
        positions = torch.full((1, k), known, device=place)
        return self._forward(candidates, attention_mask=mask[None, None], position_ids=positions)

    def take(self, number: int, token: int, hidden: Tensor) -> None:
        """Of the candidates just read, keep that of this number, which is `token`."""
        known = len(self.tokens)
        for layer in self._cache.layers:
            columns = [*range(known), known + number]
            layer.keys, layer.values = layer.keys[..., columns, :], layer.values[..., columns, :]
        self._keep([token], hidden[number : number + 1])

    @property
    def forks(self) -> bool:
        """Whether `ahead` can be asked of this model: its attention sees everything."""
        return not any(self._cache.is_sliding)

    def save(self, path: Path) -> None:
        """Write it all to a safetensors file."""
        tensors = {"tokens": torch.tensor(self.tokens), "hidden": self.hidden.contiguous()}
        for number, layer in enumerate(self._cache.layers):
            tensors[f"keys.{number}"] = layer.keys.contiguous()
            tensors[f"values.{number}"] = layer.values.contiguous()
        save_file(tensors, path)

    def restore(self, path: Path) -> None:
        """Take up what `save` wrote. Raises ValueError when it is another model's."""
        tensors = load_file(path, device=str(self._model.device))
        self.clear()
        if len(tensors) != 2 + 2 * len(self._cache.layers):
            raise ValueError("a state of another model")
        for number, layer in enumerate(self._cache.layers):
            layer.update(tensors[f"keys.{number}"], tensors[f"values.{number}"])
        self.tokens, self.hidden = tensors["tokens"].tolist(), tensors["hidden"]

    def _forward(self, tokens: Sequence[int], **options: Any) -> tuple[Tensor, Tensor]:
        try:
            with torch.inference_mode():
                out = self._model(
                    input_ids=torch.tensor([list(tokens)], device=self._model.device),
                    past_key_values=self._cache,
                    use_cache=True,
                    output_hidden_states=True,
                    **options,
                )
        except BaseException:  # stopped in the middle, some layers know more than others
            self.clear()
            raise
        return out.logits[0], out.hidden_states[-1][0]

    def _keep(self, tokens: Sequence[int], hidden: Tensor) -> None:
        self.hidden = torch.cat([self.hidden, hidden]) if self.tokens else hidden
        self.tokens += tokens
