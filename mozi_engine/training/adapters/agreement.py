"""Whether an exported adapter does what it does where it was trained: log-probabilities, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mozi_engine.errors import ModelError
from mozi_engine.generation import template
from mozi_engine.types import Turn

TOLERANCE = 0.1  # of the adapter's effect: by how much an export may be off, besides its base's own noise
ROUNDING = 0.05  # nats, by which 16-bit weights that were added up may be off (measured: 0.03, 12 layers)
AUDIBLE = 2.0  # times that noise must the effect be, or nothing could be told

# What source and export both read: the answer is compared, at PLACES places.
ASKED = Turn(
    "user",
    "We evaluate the parser on 2,416 sentences of the tree bank. Its score rises from 91.3 to 93.8 F1, since "
    "long dependencies are found more often (Table 3). 我们提出了一种新的图模型。\n\nWhat data do they use?",
)
ANSWER = "They use 2,416 sentences of the tree bank, on which their parser reaches 93.8 F1."
PLACES = 8
LIKELIEST = 10  # tokens that are compared at each place: what is never said may differ


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an export stands to its source, in nats: root mean squares over places and their likeliest tokens.

    `effect` is how far the adapter moves the source's log-probabilities; `difference`, how far from that is
    what it does to the export's; `noise`, how far the bases are apart, or 16 bits round.
    """

    effect: float
    difference: float
    noise: float

    @property
    def allowed(self) -> float:
        """The largest difference that an export is kept with."""
        return TOLERANCE * self.effect + self.noise


@dataclass(frozen=True, slots=True)
class Said:
    """Log-probabilities (places, tokens) without the adapter and with it."""

    alone: Tensor
    adapted: Tensor


def prompts(tokenizer: Any) -> list[list[int]]:
    """The question with ever more of its answer, PLACES times, as tokens; each begins as the one before."""
    asked = template.ids(tokenizer, template.render(tokenizer, [ASKED]))
    answer = template.ids(tokenizer, ANSWER)
    return [asked + answer[: len(answer) * place // PLACES] for place in range(PLACES)]


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
    tokens = adapted.topk(LIKELIEST).indices
    return Said(alone.gather(-1, tokens), adapted.gather(-1, tokens)), tokens


def compared(source: Said, export: Said, rounding: float = 0.0) -> Agreement:
    """How alike the adapter's work is in both, each against its own base."""
    wanted, found = source.adapted - source.alone, export.adapted - export.alone
    noise = max(_size(export.alone - source.alone), rounding)
    return Agreement(_size(wanted), _size(found - wanted), noise)


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def demand(found: Agreement, base: str) -> Agreement:
    """The agreement, where it is one. Raises ModelError where the export does something else, or may."""
    if found.effect <= AUDIBLE * found.noise:
        raise ModelError(
            f"the export was not kept: the precision of {base} costs {found.noise:.3f} nats, and the adapter "
            f"changes only {found.effect:.3f}",
            hint="is it the adapter's base? Weights of higher precision (F16, Q8_0 for GGUF) make less noise",
        )
    if found.difference > found.allowed:
        raise ModelError(
            f"the export was not kept: where the adapter changes {found.effect:.3f} nats, it is off by "
            f"{found.difference:.3f} ({found.allowed:.3f} are allowed)",
            hint=f"was the adapter made on {base}?",
        )
    return found
