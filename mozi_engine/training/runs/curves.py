"""A run's curves as TensorBoard reads them, in the run's folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from transformers.integrations import TensorBoardCallback


def tensorboard(run: Path, step: int = 0) -> list[TensorBoardCallback]:
    """What writes the trainer's logs into `run/tensorboard`; nothing where TensorBoard is not installed.

    A run that goes on from a step takes back what was logged after it.
    """
    if not find_spec("tensorboard"):
        return []
    from torch.utils.tensorboard import SummaryWriter

    return [
        TensorBoardCallback(SummaryWriter(str(run / "tensorboard"), purge_step=step + 1 if step else None))
    ]
