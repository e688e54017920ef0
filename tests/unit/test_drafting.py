"""Following a question that is being written, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mozi_cli.tui import drafting
from mozi_cli.tui.drafting import Draft, Drafting


class Follower:
    """Follows in a thread, and holds each draft until it is let go on."""

    def __init__(self, drafts: Drafting) -> None:
        self.read: list[str] = []
        self.passed: list[bool] = []
        self.reading, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=lambda: drafts.follow(self._take), daemon=True)
        self._thread.start()

    def _take(self, draft: Draft, passed: Callable[[], bool]) -> None:
        self.read.append(draft.question)
        self.reading.release()
        assert self.go_on.acquire(timeout=30)
        self.passed.append(passed())

    def ended(self) -> bool:
        self._thread.join(30)
        return not self._thread.is_alive()


@pytest.fixture
def drafts(monkeypatch: pytest.MonkeyPatch) -> Drafting:
    monkeypatch.setattr(drafting, "PATIENCE", 20.0)
    return Drafting()


def written(drafts: Drafting, question: str) -> bool:
    return drafts.write(Draft(question, ()))


def test_the_newest_draft_is_read_and_those_between_are_passed_over(drafts: Drafting) -> None:
    assert written(drafts, "How ")
    follower = Follower(drafts)
    assert follower.reading.acquire(timeout=30)
    assert not written(drafts, "How many ")
    assert not written(drafts, "How many nodes?")
    follower.go_on.release(2)
    assert follower.reading.acquire(timeout=30)
    drafts.end()
    assert follower.ended()
    assert follower.read == ["How ", "How many nodes?"]
    assert follower.passed[0] is True


def test_a_word_is_waited_for_until_it_is_whole(drafts: Drafting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "SETTLED", 20.0)
    written(drafts, "How ma")
    follower = Follower(drafts)
    written(drafts, "How many ")
    follower.go_on.release()
    assert follower.reading.acquire(timeout=30)
    drafts.end()
    assert follower.ended()
    assert follower.read[-1] == "How many "


def test_a_last_word_is_read_after_a_pause(drafts: Drafting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "SETTLED", 0.01)
    written(drafts, "How many nodes")
    follower = Follower(drafts)
    follower.go_on.release()
    assert follower.reading.acquire(timeout=30)
    drafts.end()
    assert follower.ended()
    assert follower.read == ["How many nodes"]


def test_who_has_waited_long_follows_no_more_and_another_can_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "PATIENCE", 0.01)
    drafts = Drafting()
    for _ in range(2):
        assert written(drafts, "How many? ")
        follower = Follower(drafts)
        follower.go_on.release()
        assert follower.ended()


def test_a_reader_that_fails_leaves_the_place_free(drafts: Drafting) -> None:
    def fail(draft: Draft, passed: Callable[[], bool]) -> None:
        raise ValueError(draft.question)

    written(drafts, "How many? ")
    with pytest.raises(ValueError, match="How many"):
        drafts.follow(fail)
    assert written(drafts, "How many?")


def test_what_was_asked_at_once_is_not_read_along(drafts: Drafting) -> None:
    assert written(drafts, "How many? ")
    drafts.end()
    read: list[Draft] = []
    drafts.follow(lambda draft, _: read.append(draft))
    assert read == []
    assert written(drafts, "Why? ")
