"""Whether an exported adapter does what it does where it was trained: log-probabilities, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mozi_engine.errors import ModelError
from mozi_engine.generation import template

TOLERANCE = 0.1  # of the adapter's effect: what an export may differ by

# Read by source and export alike, and stopped at PLACES places: prose, a number, an equation, code, Chinese.
TEXT = (
    "We evaluate the parser on 2,416 sentences of the tree bank. Its score rises from 91.3 to 93.8 F1, "
    "because long dependencies are found more often (Table 3). Question: what data do they use? Answer: "
    "L = -sum_i log p(y_i | x), def score(tokens): return sum(tokens)。"
    "我们提出了一种新的图模型，用于句法分析。"
)
PLACES = 8
LIKELIEST = 50  # tokens that are compared at each place: what is never said may differ


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an export stands to its source, in nats: root mean squares over places and their likeliest tokens.

    `effect` is how far the adapter moves the source's log-probabilities; `difference`, how far from that is
    what it does to the export's.
    """

    effect: float
    difference: float

    @property
    def share(self) -> float:
        """The difference as a share of the effect; 1 where there is none."""
        return self.difference / self.effect if self.effect else 1.0


@dataclass(frozen=True, slots=True)
class Said:
    """Log-probabilities (places, tokens) without the adapter and with it."""

    alone: Tensor
    adapted: Tensor


def prompts(tokenizer: Any) -> list[list[int]]:
    """PLACES beginnings of TEXT, the last of them whole."""
    ids = template.ids(tokenizer, TEXT)
    return [ids[: len(ids) * place // PLACES] for place in range(1, PLACES + 1)]


def said(model: Any, beginnings: Sequence[Sequence[int]]) -> Tensor:
    """What a torch model says comes after each beginning of the last: (places, vocabulary)."""
    ids = torch.tensor([list(beginnings[-1])], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0, [len(each) - 1 for each in beginnings]]
    return logits.float().log_softmax(-1).cpu()


def of(model: Any, beginnings: Sequence[Sequence[int]]) -> tuple[Said, Tensor]:
    """What a model says with its adapter and without, of the likeliest tokens: (places, LIKELIEST)."""
    adapted = said(model, beginnings)
    with model.disable_adapter():
        alone = said(model, beginnings)
    tokens = adapted.topk(min(LIKELIEST, adapted.shape[-1])).indices
    return Said(alone.gather(-1, tokens), adapted.gather(-1, tokens)), tokens


def compared(source: Said, export: Said) -> Agreement:
    """How alike the adapter's work is in both. What the bases differ by, by quantisation say, is left out."""
    wanted, found = source.adapted - source.alone, export.adapted - export.alone
    return Agreement(_size(wanted), _size(found - wanted))


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def demand(found: Agreement, base: str) -> Agreement:
    """The agreement, where it is one. Raises ModelError where the export does something else."""
    if found.share <= TOLERANCE:
        return found
    raise ModelError(
        f"the export was not kept: it differs by {found.difference:.3f} nats where the adapter "
        f"changes {found.effect:.3f} ({found.share:.0%}; {TOLERANCE:.0%} is allowed)",
        hint=f"is {base} the adapter's base? At a higher precision, a small effect shows too",
    )
