import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from mozi_cli.read import check_kept
from mozi_engine import reading as reading_module
from mozi_engine import states
from mozi_engine.errors import DataError, ModelError
from mozi_engine.prompts import begins, render_whole
from mozi_engine.reading import LEAST, RESERVED, BackgroundReading, Reading, beginning, estimated_tokens
from mozi_engine.types import (
    Box,
    Evidence,
    GenerationSettings,
    Paper,
    Paragraph,
    Prefill,
    Remembering,
    Section,
    Turn,
    Usage,
    Word,
)
from tests.conftest import passage

LIMIT = 10**9


def _paragraph(text: str, page: int, kind: str = "text") -> Paragraph:
    return Paragraph(text, kind, (Word(0, len(text), Box(page, 0, 0, 10, 10)),))  # type: ignore[arg-type]


def _paper(*sections: tuple[str, list[Paragraph]]) -> Paper:
    made = tuple(Section(title, 1, tuple(paragraphs)) for title, paragraphs in sections)
    return Paper("id", "A Graph", made, (_paragraph("Smith, 2018.", 9),), 9)


PAPER = _paper(
    ("Abstract", [_paragraph("We build a graph.", 1)]),
    (
        "Related Work",
        [_paragraph("Others built trees. " * 20, 2), _paragraph("Figure 1: A tree.", 2, "caption")],
    ),
    ("Results", [_paragraph("It has 280M nodes.", 3), _paragraph("a footnote", 3, "footnote")]),
    ("Conclusion", [_paragraph("Graphs are good.", 4)]),
)


def words(text: str) -> int:
    return len(text.split())


class Reader:
    """A model that reads a word at a time, and whose state is the words it has read."""

    name = identity = "reader"
    context = RESERVED + 2000

    def __init__(self) -> None:
        self.states = states.folder()
        self.known: list[str] = []
        self.reads = 0
        self.may_go_on = threading.Semaphore(0)
        self.waits = False

    def count_tokens(self, text: str) -> int:
        return words(text)

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> Generator[Prefill, None, None]:
        self.reads += 1
        text = beginning[-1].text.split()
        cached = len(self.known)
        for word in text[cached:]:
            if self.waits:
                self.may_go_on.acquire()
            self.known.append(word)
            yield Prefill(len(self.known), len(text), cached)
            if held():
                return

    def save(self, name: str) -> None:
        self.states.mkdir(parents=True, exist_ok=True)
        (self.states / name).write_text(" ".join(self.known))

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        self.known = (self.states / name).read_text().split()

    def forget(self) -> bool:
        self.known = []
        return True

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Iterator[str | Prefill | Usage]:
        yield "Yes."


def test_the_beginning_is_the_body_in_reading_order_without_references_and_footnotes() -> None:
    found = beginning(PAPER, 2000, words)
    text = found.turns[1].text
    order = [
        "Paper: A Graph",
        "## Abstract",
        "We build",
        "## Related Work",
        "Figure 1",
        "## Results",
        "280M",
        "Graphs are",
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "Smith" not in text
    assert "footnote" not in text
    assert found.left_out == ()


def test_the_page_reached_follows_the_share_that_was_read() -> None:
    found = beginning(PAPER, 2000, words)
    pages = [found.page(Prefill(done, 100, 0)) for done in range(0, 101, 10)]
    assert pages == sorted(pages)
    assert (pages[0], pages[-1]) == (1, 4)


def test_what_is_kept_of_a_long_paper_is_within_the_budget_however_many_tokens_its_tables_have() -> None:
    table = _paragraph("9 " * 800, 2, "caption")
    prose = [_paragraph("antidisestablishmentarianism " * 400, 3) for _ in range(8)]
    found = beginning(_paper(("Results", [table]), ("Results", prose)), 1500, words)
    assert 800 < words(found.turns[1].text) <= 1500 + 20  # and the title
    assert found.left_out == ("Results",)


def test_a_section_matters_as_the_one_does_that_it_stands_under() -> None:
    def section(title: str, level: int) -> Section:
        return Section(title, level, (_paragraph("word " * 600, 1),))

    paper = Paper(
        "id", "", (section("", 0), section("Trees", 1), section("Method", 1), section("Nodes", 2)), (), 1
    )
    found = beginning(paper, 1300, words)
    assert found.left_out == ("", "Trees")


def test_a_paper_longer_than_the_budget_keeps_what_matters_and_says_what_it_left_out() -> None:
    long = "Others built trees. " * 400
    paper = replace(PAPER, sections=(*PAPER.sections, Section("Related Trees", 1, (_paragraph(long, 5),))))
    found = beginning(paper, 1100, words)
    text = found.turns[1].text
    assert "We build a graph." in text
    assert "It has 280M nodes." in text
    assert "Graphs are good." in text
    assert found.left_out == ("Related Trees",)
    assert words(text) <= 1100
    beyond = [Evidence(passage("Others built trees."), 1.0, 1)]
    assert begins(render_whole(found.turns, "Who built trees?", (), beyond), found.turns)


def test_every_prompt_about_the_paper_goes_on_where_the_beginning_ends() -> None:
    turns = beginning(PAPER, 2000, words).turns
    history = (Turn("user", "How large?"), Turn("assistant", "280M."))
    first = render_whole(turns, "How large?")
    second = render_whole(turns, "多大？", history)
    assert first[0] == second[0] == turns[0]
    assert first[1].text == second[1].text == turns[1].text + " How large?"
    assert second[2:] == (history[1], Turn("user", "Question: 多大？\n\nAnswer in Chinese."))


def test_a_paper_is_read_once_and_remembered() -> None:
    assert isinstance(Reader(), Remembering)
    reading = Reading(PAPER, Reader(), LIMIT)
    reading.recall()
    assert not reading.complete
    list(reading.steps())
    assert reading.complete

    again = Reader()
    recalled = Reading(PAPER, again, LIMIT)
    recalled.recall()
    assert recalled.complete
    assert again.known == recalled.beginning.turns[1].text.split()
    assert again.reads == 0


def test_what_was_kept_is_taken_up_when_all_is_read() -> None:
    taken_up: list[list[str]] = []

    class Tidy(Reader):
        def restore(self, name: str, beginning: Sequence[Turn]) -> None:
            super().restore(name, beginning)
            taken_up.append(self.known)

    reading = Reading(PAPER, Tidy(), LIMIT)
    list(reading.steps())
    assert reading.complete
    assert taken_up == [reading.beginning.turns[1].text.split()]


def test_a_paper_that_was_read_to_its_end_is_known_as_such() -> None:
    reading = Reading(PAPER, Reader(), LIMIT)
    steps = reading.steps()
    next(steps)
    steps.close()
    reading.keep()
    assert states.papers("reader") == frozenset()
    list(reading.steps())
    assert states.papers("reader") == {PAPER.id}


def test_a_paper_that_was_forgotten_for_another_is_not_said_to_be_remembered() -> None:
    first = Reading(PAPER, Reader(), LIMIT)
    list(first.steps())
    assert first.remembered
    states.evict(0)
    assert first.complete
    assert not first.remembered
    with pytest.raises(DataError, match="A Graph was forgotten again"):
        check_kept({"A Graph": first}, 4.0)


def test_reading_that_was_stopped_goes_on_where_it_was() -> None:
    reading = Reading(PAPER, Reader(), LIMIT)
    steps = reading.steps()
    for _ in range(5):
        next(steps)
    steps.close()
    reading.keep()

    later = Reading(PAPER, Reader(), LIMIT)
    later.recall()
    assert not later.complete
    assert next(iter(later.steps())) == Prefill(6, later.reached.total, 5)


def test_a_paper_read_in_part_makes_room_for_a_question_and_is_then_read_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading_module, "_LIGHT", 5)
    model, briefed = Reader(), []
    model.waits = True
    reading = Reading(PAPER, model, LIMIT)
    background = BackgroundReading(lambda held: not briefed.append(len(model.known)), reading)
    model.may_go_on.release(10)
    while len(model.known) < 10:
        pass
    threading.Timer(0.1, model.may_go_on.release, (1,)).start()
    with background.aside():
        assert model.known == []
        assert reading.reached.done == 11
        assert briefed == [0, 0]
    model.waits = False
    model.may_go_on.release(1000)
    background._thread.join()
    assert reading.complete
    assert model.known == reading.beginning.turns[1].text.split()


def test_what_was_set_aside_and_then_lost_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_LIGHT", 5)
    model = Reader()
    reading = Reading(PAPER, model, LIMIT)
    assert not reading.set_aside()
    with closing(reading.steps()) as steps:
        for _ in range(10):
            next(steps)
    assert reading.set_aside()
    assert not reading.set_aside()
    states.evict(0)
    assert next(iter(reading.steps())) == Prefill(1, reading.reached.total, 0)
    list(reading.steps())
    assert reading.complete
    assert not reading.set_aside()


def test_what_cannot_be_kept_is_not_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_LIGHT", 5)
    model = Reader()
    reading = Reading(PAPER, model, 1)
    with closing(reading.steps()) as steps:
        for _ in range(10):
            next(steps)
    assert not reading.set_aside()
    assert len(model.known) == 10


def test_another_model_or_another_text_remembers_nothing() -> None:
    list(Reading(PAPER, Reader(), LIMIT).steps())
    other = Reader()
    other.identity = "another build"
    for reading in (Reading(PAPER, other, LIMIT), Reading(_paper(("A", [])), Reader(), LIMIT)):
        reading.recall()
        assert not reading.complete


def test_a_flipped_byte_is_read_again_quietly() -> None:
    list(Reading(PAPER, Reader(), LIMIT).steps())
    (state,) = states.folder().glob("*.state")
    state.write_bytes(b"X" + state.read_bytes()[1:])
    reading = Reading(PAPER, Reader(), LIMIT)
    reading.recall()
    list(reading.steps())
    assert reading.complete


def test_a_state_that_the_engine_refuses_is_read_again() -> None:
    list(Reading(PAPER, Reader(), LIMIT).steps())

    class Refusing(Reader):
        def restore(self, name: str, beginning: Sequence[Turn]) -> None:
            raise ModelError("llama.cpp: invalid slot save file")

    reading = Reading(PAPER, Refusing(), LIMIT)
    reading.recall()
    assert not reading.complete
    assert list(states.folder().glob("*.state")) == []


def test_a_question_holds_the_reading_after_the_piece_under_way() -> None:
    model = Reader()
    model.waits = True
    reading = Reading(PAPER, model, LIMIT)
    background = BackgroundReading(None, reading)
    model.may_go_on.release(3)

    def one_piece_later() -> None:
        while not background._wanted.is_set():
            pass
        model.may_go_on.release()

    threading.Thread(target=one_piece_later, daemon=True).start()
    with background.aside():
        known = len(model.known)
        assert known <= 4
        model.may_go_on.release(1000)
        assert len(model.known) == known
    for _ in range(1000):
        if reading.complete:
            break
        threading.Event().wait(0.01)
    background.close()
    assert reading.complete


def test_closing_in_the_middle_keeps_what_was_read() -> None:
    model = Reader()
    model.waits = True
    background = BackgroundReading(None, Reading(PAPER, model, LIMIT))
    model.may_go_on.release(5)
    while len(model.known) < 5:
        pass
    threading.Timer(0.05, model.may_go_on.release, [1]).start()
    background.close()
    later = Reading(PAPER, Reader(), LIMIT)
    later.recall()
    assert 5 <= later.reached.done < later.reached.total


def test_a_reading_that_fails_says_why_and_harms_nothing_else() -> None:
    class Failing(Reader):
        def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> Generator[Prefill, None, None]:
            yield Prefill(1, 10, 0)
            raise ModelError("the model stopped")

    background = BackgroundReading(None, Reading(PAPER, Failing(), LIMIT))
    background.close()
    with background.aside():
        assert background.failure is None or background.failure.message == "the model stopped"


class Opening:
    """Three batches, each of which ends when it may."""

    def __init__(self) -> None:
        self.read = 0
        self.under_way = threading.Event()
        self.may_end = threading.Semaphore(0)

    def __call__(self, held: Callable[[], bool]) -> bool:
        while self.read < 3:
            self.under_way.set()
            assert self.may_end.acquire(timeout=60)
            self.read += 1
            if held():
                break
        return self.read == 3

    def end_a_batch_after(self, event: threading.Event) -> None:
        def end() -> None:
            event.wait(60)
            self.may_end.release()

        threading.Thread(target=end, daemon=True).start()


def finished(background: BackgroundReading) -> BackgroundReading:
    background._thread.join(60)
    assert not background._thread.is_alive()
    return background


def test_the_opening_is_read_before_the_paper() -> None:
    opening, model = Opening(), Reader()
    background = BackgroundReading(opening, Reading(PAPER, model, LIMIT))
    assert opening.under_way.wait(60)
    assert model.reads == 0
    assert not background.complete
    opening.may_end.release(3)
    assert finished(background).complete
    assert opening.read == 3
    assert states.papers("reader") == {PAPER.id}


def test_a_question_holds_the_opening_after_the_batch_under_way() -> None:
    opening, model = Opening(), Reader()
    background = BackgroundReading(opening, Reading(PAPER, model, LIMIT))
    assert opening.under_way.wait(60)

    opening.end_a_batch_after(background._wanted)
    with background.aside():
        opening.may_end.release(9)
        assert (opening.read, model.reads) == (1, 0)
    assert finished(background).complete
    assert opening.read == 3


def test_closing_in_the_opening_waits_for_the_batch_under_way_alone() -> None:
    opening, model = Opening(), Reader()
    background = BackgroundReading(opening, Reading(PAPER, model, LIMIT))
    assert opening.under_way.wait(60)

    opening.end_a_batch_after(background._closed)
    background.close()
    assert (opening.read, model.reads) == (1, 0)
    assert not background.complete


def test_an_opening_is_read_where_the_paper_cannot_be() -> None:
    opening = Opening()
    opening.may_end.release(3)
    assert finished(BackgroundReading(opening, None)).complete
    assert opening.read == 3


def test_of_a_paper_that_is_known_whole_the_opening_is_not_read() -> None:
    reading = Reading(PAPER, Reader(), LIMIT)
    list(reading.steps())
    opening = Opening()
    assert finished(BackgroundReading(opening, reading)).complete
    assert not opening.under_way.is_set()


def test_an_opening_that_gets_nowhere_does_not_keep_the_paper_from_being_read() -> None:
    background = BackgroundReading(lambda _: False, Reading(PAPER, Reader(), LIMIT))
    assert finished(background).complete


def test_an_opening_that_fails_says_why() -> None:
    def failing(_: Callable[[], bool]) -> bool:
        raise ModelError("the model stopped")

    failure = finished(BackgroundReading(failing, None)).failure
    assert failure
    assert failure.message == "the model stopped"


def test_a_paper_without_text_has_a_beginning() -> None:
    assert beginning(_paper(), 2000, words).turns[1].text.startswith("Paper: A Graph")


def test_a_context_that_holds_no_paper_is_refused() -> None:
    with pytest.raises(ModelError, match="too small") as caught:
        beginning(PAPER, LEAST - 1, words)
    assert "context" in caught.value.hint


def test_chinese_is_counted_by_its_characters() -> None:
    assert estimated_tokens("图有多少个节点") == 7
    assert estimated_tokens("How many nodes") == 4
