"""A model in a process of its own, with the real default model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mozi_engine.errors import ModelError
from mozi_engine.generation.apart import Apart
from mozi_engine.settings import Settings
from mozi_engine.types import Briefed, GenerationSettings, Prefill, Remembering, Turn

CAPITAL = (Turn("system", "Answer in one word."), Turn("user", "What is the capital of France?"))
LONG = (Turn("system", "Do as you are told."), Turn("user", "word " * 200))


@pytest.fixture
def model(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    monkeypatch.setenv("MOZI_HOME", str(model_home))
    made = Apart(Settings(context=1024))
    yield made
    made.close()


@pytest.mark.model
def test_it_answers_stops_and_answers_again(model: Apart) -> None:
    decoding = GenerationSettings(max_new_tokens=8)
    assert isinstance(model, Remembering)
    assert isinstance(model, Briefed)
    assert model.count_tokens("hello there") == 2
    reading = model.read(LONG, held=lambda: False)
    assert isinstance(next(reading), Prefill)
    reading.close()
    assert list(model.anticipate(CAPITAL, held=lambda: False))[-1].done > 0
    assert "Paris" in "".join(piece for piece in model.stream(CAPITAL, decoding) if isinstance(piece, str))
    model.close()
    with pytest.raises(ModelError, match="process has ended"):
        model.count_tokens("hello")


def test_what_the_child_raises_is_raised_here() -> None:
    with pytest.raises(ModelError, match="nonsense") as caught:
        Apart(Settings(model="nonsense"))
    assert caught.value.hint
