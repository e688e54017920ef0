"""What the processes of a training tell each other, beside what their trainer does."""

from __future__ import annotations

import torch

from mozi_engine.generation import loading


def any_of(told: bool) -> bool:
    """Whether any of the processes was told so: they must do the same, or they wait for each other."""
    if not torch.distributed.is_initialized():
        return told
    answer = torch.tensor(int(told), device=loading.device())
    torch.distributed.all_reduce(answer, torch.distributed.ReduceOp.MAX)
    return bool(answer.item())
