"""What a message means as a vector: by all-MiniLM-L6-v2, trained to tell risk (`encoder/`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mozi_engine.retrieval.dense import Encoder

FOLDER = Path(__file__).with_name("encoder")


def vector(text: str) -> tuple[float, ...]:
    """The unit vector of a text, 384 numbers; it says little of other languages than English."""
    return tuple(map(float, _encoder().encode([text.encode("utf-8", "replace").decode()])[0]))


@cache
def _encoder() -> Encoder:
    return Encoder(1, FOLDER)
