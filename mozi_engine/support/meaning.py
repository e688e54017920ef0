"""What a message means as a vector, for the classifier: from the encoder that searches papers."""

from __future__ import annotations

from functools import cache

from mozi_engine.retrieval.dense import Encoder


def vector(text: str) -> tuple[float, ...]:
    """The unit vector of a text, 384 numbers; it says little of other languages than English."""
    return tuple(map(float, _encoder().encode([text.encode("utf-8", "replace").decode()])[0]))


@cache
def _encoder() -> Encoder:
    return Encoder(threads=1)
