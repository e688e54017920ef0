"""A model in a process of its own, with the real default model."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import cast

import pytest

from mozi_engine.errors import ModelError
from mozi_engine.generation import apart, engines
from mozi_engine.generation.apart import Apart, BriefedApart, Call, End
from mozi_engine.settings import Settings
from mozi_engine.types import Briefed, GenerationSettings, Prefill, Remembering, Turn

CAPITAL = (Turn("system", "Answer in one word."), Turn("user", "What is the capital of France?"))
LONG = (Turn("system", "Do as you are told."), Turn("user", "word " * 200))


@pytest.fixture
def model(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BriefedApart]:
    monkeypatch.setenv("MOZI_HOME", str(model_home))
    made = BriefedApart(Settings(context=1024))
    yield made
    made.close()


@pytest.mark.model
def test_it_answers_stops_and_answers_again(model: BriefedApart) -> None:
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


class Plain:
    """As the torch engine: it keeps nothing of single passages."""

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def stream(self, messages: object, settings: object) -> Iterator[str]:
        yield "one"
        raise ValueError("a bug")


def test_a_bug_in_the_child_is_told_and_it_serves_on() -> None:
    ours, theirs = Pipe()
    model = cast("Remembering", Plain())
    for call in (Call("stream", ((), None)), Call("count_tokens", ("two words",))):
        ours.send(call)
        apart._answer(model, theirs)
    assert ours.recv() == "one"
    failed = ours.recv().error
    assert isinstance(failed, ModelError)
    assert failed.message == "the model failed: ValueError: a bug"
    assert ours.recv() == End(2)


def test_only_llama_cpp_is_taken_to_keep_single_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Apart, "__init__", lambda self, settings: None)
    assert isinstance(engines.load_apart(Settings()), BriefedApart)
    assert not hasattr(engines.load_apart(Settings(engine="torch")), "brief")


def test_what_the_child_raises_is_raised_here() -> None:
    with pytest.raises(ModelError, match="nonsense") as caught:
        Apart(Settings(model="nonsense"))
    assert caught.value.hint
