"""One model for questions and for reading: who has it, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from mozi_engine.answering import Done, EvidenceFound, Token
from mozi_engine.dialogue import Dialogue, Held, acquaint, briefing
from mozi_engine.indexing import Indexed
from mozi_engine.prompts import render_paper
from mozi_engine.types import GenerationSettings, Turn
from tests.conftest import Scripted
from tests.unit.test_answering import graph_answerer

HOW_MANY = "How many nodes has the graph?"


def test_evidence_is_shown_while_another_has_the_model() -> None:
    using = threading.Lock()
    events = Dialogue(graph_answerer("More than 280M nodes.")[0], using).ask(HOW_MANY, ())
    with using:
        assert isinstance(next(events), EvidenceFound)
    *_, done = events
    assert isinstance(done, Done)
    assert not using.locked()


def test_from_its_first_word_to_its_last_an_answer_has_the_model_for_itself() -> None:
    using = threading.Lock()
    history = (Turn("user", HOW_MANY), Turn("assistant", "280M."))
    dialogue = Dialogue(graph_answerer("How many papers is the parser trained on?", "1,200.")[0], using)
    held = [
        using.locked() for event in dialogue.ask("and the parser?", history) if not isinstance(event, Done)
    ]
    assert held[-1] is True
    assert held.index(True) == 0, "the model rewrites the question first"
    assert all(held)
    assert not using.locked()


def test_an_answer_that_is_stopped_gives_the_model_back() -> None:
    using = threading.Lock()
    events = Dialogue(graph_answerer("More than 280M nodes.")[0], using).ask(HOW_MANY, ())
    next(event for event in events if isinstance(event, Token))
    assert using.locked()
    events.close()
    assert not using.locked()


@pytest.mark.parametrize("known", [True, False])
def test_an_answer_tells_what_it_was_made_from(known: bool) -> None:
    asked, _ = graph_answerer("More than 280M nodes.")
    whole = render_paper("A Graph", "It has more than 280M nodes.") if known else None
    *_, done = Dialogue(replace(asked, beginning=whole)).ask(HOW_MANY, ())
    assert isinstance(done, Done)
    assert done.answer.source == ("paper" if known else "passages")


def test_what_is_expected_is_read_ahead_where_the_model_can() -> None:
    class Reading(Scripted):
        def anticipate(self, messages: object, held: object) -> object:
            ahead.append(messages)
            yield from ()

    ahead: list[object] = []
    asked, _ = graph_answerer()
    Dialogue(replace(asked, generator=Reading([]))).anticipate(HOW_MANY, (), lambda: False)
    assert ahead == [asked.expected(HOW_MANY)]
    Dialogue(asked).anticipate(HOW_MANY, (), lambda: False)
    Dialogue(replace(asked, generator=Reading([]))).anticipate(" ", (), lambda: False)
    assert len(ahead) == 1


def test_a_draft_that_only_the_model_could_search_has_the_opening_read_on() -> None:
    history = (Turn("user", HOW_MANY), Turn("assistant", "280M."))
    under_way = threading.Event()
    asked: list[Callable[[], bool]] = []

    def brief(held: Callable[[], bool]) -> bool:
        asked.append(held)
        under_way.set()
        while asked == [held] and not held():
            pass
        return len(asked) > 1

    dialogue = Dialogue(graph_answerer()[0])
    dialogue.read_on(brief, None)
    assert under_way.wait(60)

    def passed() -> bool:
        return False

    with dialogue.aside():
        dialogue.anticipate("and the parser?", history, passed)
        dialogue.anticipate("and the parser?", history, passed)
    assert asked[1:] == [passed], "once it is known, it is not read again"
    assert dialogue.background
    assert dialogue.background.complete
    dialogue.close()


def test_a_model_that_remembers_nothing_reads_nothing_between_questions() -> None:
    asked, model = graph_answerer()
    indexed = Indexed(asked.paper, asked.retriever, "dense", ())
    dialogue = Dialogue(asked)
    dialogue.read_on(briefing(indexed, model, 1), acquaint(indexed, model, 1))
    assert dialogue.background is None


def test_a_held_model_can_be_taken_up_again() -> None:
    using = threading.Lock()
    model = Held(Scripted(["One.", "Two."]), lambda: using)
    for _ in range(2):
        assert list(model.stream((Turn("user", "Say."),), GenerationSettings()))
        assert using.locked()
        model.close()
        assert not using.locked()
    model.close()
