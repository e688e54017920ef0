"""llama.cpp in this process, with the real default model: small prompts, a small context."""

from __future__ import annotations

from collections.abc import Generator as EventStream
from pathlib import Path
from typing import Any, cast

import pytest

from mozi_engine import states
from mozi_engine.errors import ModelError
from mozi_engine.generation import engines
from mozi_engine.generation.llamacpp import LlamaCpp
from mozi_engine.prompts import PAPER, render, render_opening
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Generator, Prefill, Turn, Usage
from tests.conftest import passage

pytestmark = pytest.mark.model

Stream = EventStream[str | Prefill | Usage, None, None]
CAPITAL = (Turn("system", "Answer in one word."), Turn("user", "What is the capital of France?"))
COUNT = (Turn("system", "Do as you are told."), Turn("user", "Count from 1 to 100, separated by spaces."))


@pytest.fixture(scope="module")
def model(model_home: Path) -> Generator:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOZI_HOME", str(model_home))
        return engines.load(Settings(context=512))


def stream(model: Generator, messages: tuple[Turn, ...], **settings: Any) -> Stream:
    decoding = GenerationSettings(**{"max_new_tokens": 12, **settings})
    return cast("Stream", model.stream(messages, decoding))


def text(events: Stream) -> str:
    return "".join(event for event in events if isinstance(event, str))


def test_the_prompt_is_read_then_pieces_come_then_the_tokens_used(model: Generator) -> None:
    *read, last = stream(model, COUNT)
    progress = [event for event in read if isinstance(event, Prefill)]
    pieces = [event for event in read if isinstance(event, str)]
    assert read == [*progress, *pieces]
    assert progress[-1].done == progress[-1].total > 0
    assert len(pieces) > 3
    assert "".join(pieces).startswith("1 2 3")
    assert last == Usage(progress[-1].total, 12)


def test_what_the_prompt_before_had_in_common_is_not_read_again(model: Generator) -> None:
    text(stream(model, CAPITAL))
    other = (CAPITAL[0], Turn("user", "What is the capital of Italy?"))
    events = list(stream(model, other))
    (cached,) = {event.cached for event in events if isinstance(event, Prefill)}
    assert 0 < cached < next(event.total for event in events if isinstance(event, Prefill))
    assert "Rome" in "".join(event for event in events if isinstance(event, str))


@pytest.mark.parametrize("damaged", [False, True])
def test_the_instructions_are_known_before_the_first_question(
    model: Generator, model_home: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    monkeypatch.setenv("MOZI_HOME", str(model_home))
    if damaged:
        for state in states.folder().glob("*.state"):
            state.write_bytes(state.read_bytes()[:-1])
    first = next(stream(engines.load(Settings(context=512)), (Turn("system", PAPER), Turn("user", "Why?"))))
    assert isinstance(first, Prefill)
    assert first.total - first.cached < 16


def test_a_paper_s_opening_is_read_once_and_remembered(
    model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOZI_HOME", str(model_home))
    abstract = passage("We build a graph of the scientific literature and put it to use.", 0, "Abstract")
    begun = render_opening("A Graph", (abstract,))
    engines.brief(engines.load(Settings(context=512)), begun, 1)
    later = engines.load(Settings(context=512))
    engines.brief(later, begun, 1)
    first = next(stream(later, render("A Graph", [], "Why?", opening=(abstract,))))
    assert isinstance(first, Prefill)
    assert first.total - first.cached < 16


@pytest.mark.parametrize("paper", [(), CAPITAL])
def test_a_prompt_read_ahead_is_known_when_it_is_asked(model: Generator, paper: tuple[Turn, ...]) -> None:
    assert isinstance(model, LlamaCpp)
    list(model.read(paper or COUNT, lambda: False))
    written = (CAPITAL[0], Turn("user", f"{CAPITAL[1].text} Think of its rivers and of its revolu"))
    assert list(model.anticipate(written, lambda: False))
    asked = (CAPITAL[0], Turn("user", f"{written[1].text}tion."))
    first = next(stream(model, asked))
    assert isinstance(first, Prefill)
    assert first.total - first.cached < 12
    assert "Paris" in text(stream(model, asked))


def test_of_a_prompt_read_to_the_beginning_of_its_reply_one_token_is_left(model: Generator) -> None:
    assert isinstance(model, LlamaCpp)
    list(model.anticipate((*CAPITAL, Turn("assistant", "")), lambda: False))
    first = next(stream(model, CAPITAL))
    assert isinstance(first, Prefill)
    assert first.total - first.cached <= 1
    assert "Paris" in text(stream(model, CAPITAL))


def test_reading_ahead_ends_when_it_is_held(model: Generator) -> None:
    assert isinstance(model, LlamaCpp)
    long = (Turn("user", "A long list: " + " ".join(map(str, range(60)))),)
    *_, last = model.anticipate(long, lambda: True)
    assert 0 < last.done < last.total


def test_a_question_that_is_rewritten_does_not_cost_the_opening(model: Generator) -> None:
    abstract = passage("We build a graph of the scientific literature and put it to use.", 0, "Abstract")
    engines.brief(model, render_opening("A Graph", (abstract,)), 1)
    text(stream(model, CAPITAL))
    first = next(stream(model, render("A Graph", [], "Why?", opening=(abstract,))))
    assert isinstance(first, Prefill)
    assert first.total - first.cached < 16


def test_where_the_context_is_full_the_paper_is_what_stays(model: Generator) -> None:
    assert isinstance(model, LlamaCpp)
    paper = (Turn("system", "Read."), Turn("user", "A paper: " + " ".join(map(str, range(90)))))
    list(model.read(paper, lambda: False))
    engines.brief(model, render_opening("A Graph"), 1)
    text(stream(model, (Turn("user", "Say yes. " + "Do. " * 90),)))
    first = next(stream(model, (paper[0], Turn("user", paper[1].text + " Why?"))))
    assert isinstance(first, Prefill)
    assert first.total - first.cached < 16


def test_closing_the_stream_stops_it_and_the_next_question_is_answered(model: Generator) -> None:
    events = stream(model, COUNT, max_new_tokens=400)
    assert any(isinstance(event, str) for event in events)
    events.close()
    assert "Paris" in text(stream(model, CAPITAL))


def test_greedy_decoding_says_the_same_each_time(model: Generator) -> None:
    assert text(stream(model, CAPITAL, seed=1)) == text(stream(model, CAPITAL, seed=2))


def test_a_seed_makes_sampling_repeatable_from_the_same_state(model: Generator) -> None:
    """What is in the cache decides how the prompt is batched, and its last digits: at first they differ."""
    poem = (Turn("user", "Begin a poem about anything."),)
    text(stream(model, poem, max_new_tokens=1))
    first, again, other = (text(stream(model, poem, temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_prompt_longer_than_the_context_is_an_error_with_a_way_out(model: Generator) -> None:
    with pytest.raises(ModelError) as caught:
        text(stream(model, (Turn("user", "word " * 600),)))
    assert "context" in caught.value.message
    assert "-k" in caught.value.hint
    assert "Paris" in text(stream(model, CAPITAL))


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF" + bytes(range(256)) * 8)
    with pytest.raises(ModelError, match=r"cannot load a\.gguf") as caught:
        engines.load(Settings(model=str(file)))
    assert "mozi doctor" in caught.value.hint
