"""A run's curves as TensorBoard reads them, in the run's folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from transformers.integrations import TensorBoardCallback


def tensorboard(run: Path) -> list[TensorBoardCallback]:
    """What writes the trainer's logs into `run/tensorboard`; nothing where TensorBoard is not installed."""
    if not find_spec("tensorboard"):
        return []
    from torch.utils.tensorboard import SummaryWriter

    return [TensorBoardCallback(SummaryWriter(str(run / "tensorboard")))]
