"""What passes through is kept before it is seen, however it ends."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from mozi_engine import answering
from mozi_engine.answering import Done, EvidenceFound, Token
from mozi_engine.errors import DataError, ServerError
from mozi_engine.sessions.conversations import Exchange, begin
from mozi_engine.sessions.recording import recorded
from mozi_engine.sessions.store import Store
from mozi_engine.support import companion
from mozi_engine.support.companion import Replied, Reply
from mozi_engine.types import Timings
from tests.unit.test_sessions import ANSWER, PAPER

SESSION = begin("paper", PAPER, "qwen")
Events = Generator[answering.Event, None, None]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.private() as opened:
        yield opened


def kept(store: Store) -> Exchange:
    return store.load(SESSION.id).exchanges[-1]


def unexpected(error: DataError) -> None:
    raise AssertionError(error)


def whole() -> Events:
    yield EvidenceFound(ANSWER.evidence)
    yield Token("It has ")
    yield Token("280M nodes.")
    yield Done(ANSWER)


def test_an_answer_is_kept_token_by_token_and_then_whole(store: Store) -> None:
    texts, passed = [], []
    for event in recorded(whole(), store, SESSION, "How large?", unexpected):
        passed.append(event)
        texts.append((kept(store).text, kept(store).state))
    assert passed == list(whole())
    assert texts == [
        ("", "pending"),
        ("It has ", "pending"),
        ("It has 280M nodes.", "pending"),
        (ANSWER.text, "answered"),
    ]
    assert kept(store).answer == ANSWER


def test_a_reply_of_the_companion_is_kept_with_its_strategy(store: Store) -> None:
    def replies() -> Generator[companion.Event, None, None]:
        yield companion.Token("That sounds ")
        reply = Reply("That sounds hard.", "reflection", "it listens first", None, (), Timings())
        yield Replied(reply)

    list(recorded(replies(), store, SESSION, "I'm tired.", unexpected))
    assert (kept(store).text, kept(store).detail) == ("That sounds hard.", "reflection")
    assert (kept(store).state, kept(store).answer) == ("answered", None)


def test_an_answer_that_is_closed_is_stopped_and_closed_below(store: Store) -> None:
    closed = []

    def endless() -> Events:
        try:
            while True:
                yield Token("on and ")
        finally:
            closed.append(True)

    events = recorded(endless(), store, SESSION, "How large?", unexpected)
    next(events)
    next(events)
    events.close()
    assert (kept(store).text, kept(store).state, closed) == ("on and on and ", "stopped", [True])


def test_a_reader_who_leaves_after_the_last_event_stops_nothing(store: Store) -> None:
    events = recorded(whole(), store, SESSION, "How large?", unexpected)
    assert next(event for event in events if isinstance(event, Done))
    events.close()
    assert kept(store).state == "answered"


def test_a_failure_is_kept_and_passed_on(store: Store) -> None:
    def failing() -> Events:
        yield Token("It")
        raise ServerError("the server broke off", hint="ask again")

    with pytest.raises(ServerError):
        list(recorded(failing(), store, SESSION, "How large?", unexpected))
    assert (kept(store).text, kept(store).state) == ("It", "failed")
    assert kept(store).detail == "the server broke off"


@pytest.mark.parametrize("pages", [0, 20])
def test_a_full_disk_is_told_once_and_the_answer_goes_on(store: Store, pages: int) -> None:
    ((used,),) = store._database.rows("PRAGMA page_count")
    store.ask(SESSION, "before")
    store._database.rows(f"PRAGMA max_page_count = {used + pages}")

    def long() -> Events:
        for _ in range(30):
            yield Token("word " * 1000)
        yield Done(ANSWER)

    refused: list[DataError] = []
    passed = list(recorded(long(), store, SESSION, "How large? " * 500, refused.append))
    assert len(passed) == 31
    assert ["no space left" in error.message for error in refused] == [True]
