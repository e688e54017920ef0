"""A paper, a model that reads it between questions, and the questions: what every dialogue is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as EventStream
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from threading import Lock

from mozi_engine import prompts
from mozi_engine.answering import Answerer, Done, Event
from mozi_engine.citations import Encode
from mozi_engine.generation import engines
from mozi_engine.indexing import Indexed
from mozi_engine.reading import BackgroundReading, Brief, Reading, taken_up
from mozi_engine.types import Anticipating, Briefed, GenerationSettings, Prefill, Source, Turn, Usage
from mozi_engine.types import Generator as Model


def answerer_of(
    indexed: Indexed, model: Model, encode: Encode, passages: int, decoding: GenerationSettings
) -> Answerer:
    """What answers questions about a paper, from its opening and as many `passages`."""
    return Answerer(
        indexed.paper, indexed.retriever, model, encode, passages, decoding, opening=indexed.opening
    )


def informed(answerer: Answerer, reading: Reading | None) -> Answerer:
    """The answerer that knows the whole paper, once the model has read it."""
    if reading and reading.complete:
        text = reading.beginning
        return replace(answerer, beginning=text.turns, abridged=bool(text.left_out))
    return answerer


def briefing(indexed: Indexed, model: Model, gigabytes: float) -> Brief | None:
    """What has the model know the paper's opening, with which all prompts from its passages begin.

    Seconds, the first time; `gigabytes` is what the states on the disk may take. None where the model keeps
    no such thing.
    """
    if not isinstance(model, Briefed):
        return None
    opening = prompts.render_opening(indexed.paper.title, indexed.opening)
    return partial(engines.brief, model, opening, gigabytes)


def acquaint(indexed: Indexed, model: Model, gigabytes: float) -> Reading | None:
    """Have the model know what it remembers of the paper or, where that is not all, its opening at least.

    The reading that goes on from there, as `reading.taken_up` says; `gigabytes` as there. Raises ModelError.
    """
    reading = taken_up(indexed.paper, model, gigabytes)
    brief = briefing(indexed, model, gigabytes)
    if brief and not (reading and reading.complete):
        brief(lambda: False)
    return reading


def read_ahead(model: Model, expected: Sequence[Turn], held: Callable[[], bool]) -> None:
    """Have the model read, until `held`, what a prompt to come begins with. Raises ModelError.

    Does nothing where the model cannot do so.
    """
    if expected and isinstance(model, Anticipating):
        with closing(model.anticipate(expected, held)) as pieces:
            for _ in pieces:
                pass


class Held:
    """A model that one has for oneself, from the first time it is asked until it is given back.

    What needs no model is done before that: the search, a reply in fixed words.
    """

    def __init__(self, model: Model, aside: Callable[[], AbstractContextManager[object]]) -> None:
        """`aside` holds whoever else uses the model."""
        self.name = model.name
        self._model, self._aside = model, aside
        self._holding: ExitStack | None = None

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> EventStream[str | Prefill | Usage, None, None]:
        """As the model's."""
        if self._holding is None:
            self._holding = ExitStack()
            self._holding.enter_context(self._aside())
        yield from self._model.stream(messages, settings)

    def close(self) -> None:
        """Give it back."""
        holding, self._holding = self._holding, None
        if holding:
            holding.close()


class Dialogue:
    """Questions about one paper to one model, one at a time; between them the model reads the paper."""

    def __init__(self, answerer: Answerer, using: AbstractContextManager[object] | None = None) -> None:
        """`using` is held by whoever uses the model, where others than this dialogue do."""
        self.answerer = answerer
        self.background: BackgroundReading | None = None
        self._using = using or Lock()

    def improve(self, indexed: Indexed) -> None:
        """Search better from the next question on."""
        self.answerer = replace(
            self.answerer, paper=indexed.paper, retriever=indexed.retriever, opening=indexed.opening
        )

    def read_on(
        self,
        brief: Brief | None,
        reading: Reading | None,
        report: Callable[[Prefill], object] | None = None,
    ) -> None:
        """Let the model read between questions: the opening, then the paper, where it can.

        `report` is called in a thread.
        """
        if brief or reading:
            self.background = BackgroundReading(brief, reading, report)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Have the model for oneself: the reading stops at the end of the piece under way."""
        with self._using, self.background.aside() if self.background else nullcontext():
            yield

    def ask(self, question: str, history: Sequence[Turn]) -> EventStream[Event, None, None]:
        """The events of `Answerer.answer`; the answer tells its source. The reading is held for the model.

        Closing the iterator stops the answer. Raises QuestionError, ModelError, ServerError.
        """
        answerer = informed(self.answerer, self.background.reading if self.background else None)
        source: Source = "paper" if answerer.beginning else "passages"
        with (
            closing(Held(answerer.generator, self.aside)) as model,
            closing(replace(answerer, generator=model).answer(question, history)) as events,
        ):
            for event in events:
                yield Done(replace(event.answer, source=source)) if isinstance(event, Done) else event

    def anticipate(self, draft: str, history: Sequence[Turn], held: Callable[[], bool]) -> None:
        """Have the model read, until `held`, what a question that begins so would be answered by.

        The reading is to be held meanwhile. Raises ModelError.
        """
        background = self.background
        expected = informed(self.answerer, background.reading if background else None).expected(
            draft, history
        )
        if background and not expected:  # what the model has to search first begins with the opening, too
            background.brief(held)
        read_ahead(self.answerer.generator, expected, held)

    def close(self) -> None:
        """Stop reading at the end of the piece under way, and remember on the disk what was read."""
        if self.background:
            self.background.close()
