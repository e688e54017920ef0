"""A paper, a model that reads it between questions, and the questions: what every dialogue is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Generator as EventStream
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace

from mozi_engine import prompts
from mozi_engine.answering import Answerer, Done, Event
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed
from mozi_engine.reading import BackgroundReading, Reading
from mozi_engine.types import Anticipating, Prefill, Turn
from mozi_engine.types import Generator as Model


def informed(answerer: Answerer, reading: Reading | None) -> Answerer:
    """The answerer that knows the whole paper, once the model has read it."""
    if reading and reading.complete:
        text = reading.beginning
        return replace(answerer, beginning=text.turns, abridged=bool(text.left_out))
    return answerer


def brief(indexed: Indexed, model: Model, gigabytes: float) -> None:
    """Have the model know the paper's opening, with which all prompts from its passages begin.

    Seconds, the first time; `gigabytes` is what the states on the disk may take. Raises ModelError.
    """
    engines.brief(model, prompts.render_opening(indexed.paper.title, indexed.opening), gigabytes)


class Dialogue:
    """Questions about one paper to one model, one at a time; between them the model reads the paper."""

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.background: BackgroundReading | None = None

    def improve(self, indexed: Indexed) -> None:
        """Search better from the next question on."""
        self.answerer = replace(
            self.answerer, paper=indexed.paper, retriever=indexed.retriever, opening=indexed.opening
        )

    def read_on(self, reading: Reading, report: Callable[[Prefill], object] | None = None) -> None:
        """Let the model read the paper between questions; `report` is called in a thread."""
        self.background = BackgroundReading(reading, report)

    def aside(self) -> AbstractContextManager[None]:
        """Hold the reading, for who else would use the model."""
        return self.background.aside() if self.background else nullcontext()

    def ask(self, question: str, history: Sequence[Turn]) -> EventStream[Event, None, None]:
        """The events of `Answerer.answer`, while the reading is held.

        Waiting for the model to end its piece is part of what the answer took. Closing the iterator stops
        the answer. Raises QuestionError, ModelError, ServerError.
        """
        asked = time.perf_counter()
        with self.aside():
            waited = (time.perf_counter() - asked) * 1000
            reading = self.background.reading if self.background else None
            with closing(informed(self.answerer, reading).answer(question, history)) as events:
                for event in events:
                    yield _later(event, waited) if isinstance(event, Done) else event

    def anticipate(self, draft: str, history: Sequence[Turn], held: Callable[[], bool]) -> None:
        """Have the model read, until `held`, what a question that begins so would be answered by.

        The reading is to be held meanwhile. Does nothing where the model cannot do so. Raises ModelError.
        """
        model = self.answerer.generator
        reading = self.background.reading if self.background else None
        expected = informed(self.answerer, reading).expected(draft, history)
        if expected and isinstance(model, Anticipating):
            with closing(model.anticipate(expected, held)) as pieces:
                for _ in pieces:
                    pass

    def close(self) -> None:
        """Stop reading at the end of the piece under way, and remember on the disk what was read."""
        if self.background:
            self.background.close()


def _later(done: Done, waited: float) -> Done:
    timings = done.answer.timings
    timings = replace(timings, ttft_ms=timings.ttft_ms + waited, total_ms=timings.total_ms + waited)
    return Done(replace(done.answer, timings=timings))
