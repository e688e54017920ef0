"""Choosing the next token: the likeliest, a sample, or by contrastive search."""

from __future__ import annotations

import torch
from torch import Tensor

from mozi_engine.types import GenerationSettings

CANDIDATES = 4  # of contrastive search, where top_k names none; Su et al. take 3 to 10


def sampled(logits: Tensor, settings: GenerationSettings, random: torch.Generator) -> int:
    """A token by its logits (vocabulary,): the likeliest at temperature 0, else drawn.

    Drawn from the `top_k` likeliest, and of those from the fewest that together have `top_p`.
    """
    if settings.temperature == 0:
        return int(logits.argmax())
    ordered, tokens = (logits.float().cpu() / settings.temperature).sort(descending=True, stable=True)
    if settings.top_k:
        ordered, tokens = ordered[: settings.top_k], tokens[: settings.top_k]
    chances = ordered.softmax(-1)
    before = chances.cumsum(-1) - chances
    chances[before >= settings.top_p] = 0
    chances[0] = max(chances[0], torch.finfo().tiny)  # of a top_p of 0, the likeliest is left
    return int(tokens[torch.multinomial(chances, 1, generator=random)])


def contrasted(chances: Tensor, candidates: Tensor, context: Tensor, alpha: float) -> int:
    """Which candidate contrastive search takes (Su et al., 2022, equation 5), from 0.

    (1 - alpha) * chance - alpha * the largest cosine of its representation to any token's before it.
    `chances` (k,), `candidates` (k, width), `context` (tokens, width): last hidden states.
    """
    unit = torch.nn.functional.normalize
    alike = unit(candidates.float(), dim=-1) @ unit(context.float(), dim=-1).T
    scores = (1 - alpha) * chances.float() - alpha * alike.max(dim=-1).values
    return int(scores.argmax())
