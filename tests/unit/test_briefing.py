"""Reading a paper's opening: it can be held between two batches, is gone on with, and kept when it is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import cast

import pytest

from mozi_engine import states
from mozi_engine.generation import apart, engines
from mozi_engine.generation.apart import Apart, BriefedApart
from mozi_engine.prompts import render, render_opening
from mozi_engine.settings import Settings
from mozi_engine.types import Briefed, GenerationSettings, Prefill, Remembering, Turn
from tests.conftest import passage

ABSTRACT = passage("We build a graph of the scientific literature and put it to use. " * 8, 0, "Abstract")
OPENING = render_opening("A Graph", (ABSTRACT,))


def first_of(model: Briefed) -> Prefill:
    """What is told first of the prompt of a question from passages."""
    prompt = render("A Graph", [], "Why?", opening=(ABSTRACT,))
    first = next(iter(model.stream(prompt, GenerationSettings(max_new_tokens=1))))
    assert isinstance(first, Prefill)
    return first


def kept(model: Briefed) -> states.State | None:
    return states.find(states.key(model.identity, *(turn.text for turn in OPENING)))


def test_an_opening_that_is_held_is_gone_on_with_and_not_kept_before_it_is_whole(gguf: Path) -> None:
    model = engines.load(Settings(model=str(gguf), context=4096))
    assert isinstance(model, Briefed)
    instructions = len(list(states.folder().glob("*.state")))
    assert not engines.brief(model, OPENING, 1, lambda: True)
    assert kept(model) is None
    assert len(list(states.folder().glob("*.state"))) == instructions
    (reached, *_) = model.brief(OPENING, lambda: True)
    assert 0 < reached.cached < reached.total
    assert engines.brief(model, OPENING, 1)
    whole = kept(model)
    assert whole
    assert whole.tokens == whole.total == reached.total
    assert engines.brief(model, OPENING, 1, lambda: True), "what is kept is known at once"


def test_a_question_goes_on_from_an_opening_that_is_half_read(gguf: Path) -> None:
    model = engines.load(Settings(model=str(gguf), context=4096))
    assert isinstance(model, Briefed)
    (*_, reached) = model.brief(OPENING, lambda: True)
    first = first_of(model)
    assert reached.done <= first.cached < first.total
    assert engines.brief(model, OPENING, 1)
    assert first_of(model).cached >= reached.total - 16


def test_a_model_in_a_process_of_its_own_reads_the_opening_and_keeps_it(gguf: Path) -> None:
    model = engines.load_apart(Settings(model=str(gguf), context=4096))
    assert isinstance(model, BriefedApart)
    try:
        assert engines.brief(model, OPENING, 1)
        whole = kept(model)
        assert whole
        assert first_of(model).cached >= whole.total - 16
    finally:
        model.close()


class Slow:
    """Ends its first batch when it is held."""

    def brief(self, opening: Sequence[Turn], held: Callable[[], bool]) -> Iterator[Prefill]:
        assert opening == OPENING
        while not held():
            pass
        yield Prefill(64, 192, 0)
        yield Prefill(128, 192, 0)

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_the_child_is_told_that_its_opening_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Pipe()

    def connect(self: Apart, _: Settings) -> None:
        self._pipe, self._calling = ours, threading.Lock()

    def serve() -> None:
        with suppress(EOFError, OSError):
            while True:
                apart._answer(cast("Remembering", Slow()), theirs)

    monkeypatch.setattr(Apart, "__init__", connect)
    threading.Thread(target=serve, daemon=True).start()
    model = BriefedApart(Settings())
    assert list(model.brief(OPENING, lambda: True)) == [Prefill(64, 192, 0)]
    assert model.count_tokens("two words") == 2
