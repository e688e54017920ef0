"""The engine behind the screen: a paper, a model and one answer at a time, each worked on in a thread.

Threads post messages and touch no widget. What a newer paper or model has replaced says nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

from textual.message import Message

from mozi_cli import wording
from mozi_cli.tui import messages, threads
from mozi_cli.tui.asking import Asking
from mozi_cli.tui.coming import Coming
from mozi_cli.tui.drafting import Draft, Drafting
from mozi_engine.dialogue import Dialogue, Held, answerer_of, briefing, read_ahead
from mozi_engine.errors import MoziError, PasswordError, ServerError
from mozi_engine.generation import engines
from mozi_engine.generation.remote import Remote
from mozi_engine.indexing import Indexed, index
from mozi_engine.models import catalog
from mozi_engine.paper.source import locate
from mozi_engine.reading import Reading, taken_up
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.sessions.conversations import PaperRef
from mozi_engine.settings import Settings
from mozi_engine.support.companion import Companion, introduction
from mozi_engine.types import GenerationSettings, Prefill, Progress, Turn
from mozi_engine.types import Generator as Model

Post = Callable[[Message], object]
_PARTS: dict[str, messages.Part] = {"bytes": "text", "pages": "layout", "passages": "index"}


class Desk:
    """Opens papers, loads models, and has questions answered. Every method but `close` returns at once."""

    def __init__(
        self,
        post: Post,
        settings: Settings,
        decoding: GenerationSettings,
        load: Callable[[Settings], Model] = engines.load_apart,
    ) -> None:
        """`post` is called from threads; `load` makes a model ready that is on the disk."""
        self._post, self._settings, self._decoding, self._load = post, settings, decoding, load
        self._encoder = Encoder()
        self._model = Coming(settings.model)
        self._indexed: Indexed | None = None
        self._dialogue: Dialogue | None = None
        self._companion: tuple[Companion, Held] | None = None
        self._asking: Asking | None = None
        self._left: list[Dialogue] = []  # to be closed, before anything new is read
        self._leaving = threading.Lock()
        self._using = threading.Lock()  # held by whoever puts the model to use
        self._away = False  # whether the model is a server's that did not answer last
        self._drafting = Drafting()
        self._opened = self._loaded = 0  # how often: who is not the last has been replaced

    def open(self, reference: str, password: str | None = None) -> None:
        """Read a paper, in the place of the one before."""
        self._leave()
        self._indexed = self._dialogue = None
        self._opened += 1
        turn = self._opened

        def failed(error: MoziError) -> None:
            if turn != self._opened:
                return
            if isinstance(error, PasswordError):
                self._post(messages.PasswordWanted(reference, error.message))
            else:
                self._post(messages.PaperFailed(reference, error.message, error.hint))

        threads.start(lambda: self._open(turn, reference, password), failed)

    def load(self, name: str) -> None:
        """Take up a model, fetched first where it is not on the disk; the one before is given back."""
        self._leave()
        before, self._model = self._model, Coming(name)
        self._dialogue = self._about(self._indexed) if self._indexed else None
        self._loaded += 1
        turn, coming = self._loaded, self._model

        def failed(error: MoziError) -> None:
            coming.fail(error)
            if turn == self._loaded:
                self._post(messages.ModelFailed(name, error.message, error.hint))

        threads.start(lambda: self._fetch(turn, coming, before), failed)

    def ask(self, asking: Asking, history: Sequence[Turn]) -> None:
        """Answer a question. The one before must have ended, and a paper that is asked must be read."""
        self._drafting.end()
        self._asking = asking

        def failed(error: MoziError) -> None:
            asking.failed(error)
            if isinstance(error, ServerError):
                self._away = True
                self._post(messages.ModelFailed(self._model.name, "", ""))

        threads.start(lambda: self._answer(asking, history), failed)

    def write(self, draft: Draft) -> None:
        """A question is being written: have the model read what is known of its prompt.

        To the companion, that is something before there is a word.
        """
        if draft.mode == "paper" and not draft.question.strip():
            self._drafting.end()
        elif self._drafting.write(draft):
            # What fails here fails again when it is asked, and is told then.
            threads.start(self._read_along, lambda _: None)

    @property
    def introduction(self) -> str:
        """What the companion says of itself before anything else."""
        return introduction(self._settings.locale)

    def stop(self) -> None:
        """Stop the answer under way, if there is one; AnswerStopped follows when it has ended."""
        if self._asking:
            self._asking.stop()

    @property
    def reading(self) -> bool:
        """Whether the model is in the middle of the paper, and `close` has something to keep."""
        background = self._dialogue.background if self._dialogue else None
        return background is not None and not background.complete

    def close(self) -> None:
        """End everything, and keep what the model has read: as long as the piece under way takes."""
        self._leave()
        self._opened += 1
        self._loaded += 1
        self._close_left()
        self._model.close()

    def _leave(self) -> None:
        self.stop()
        self._drafting.end()
        self._companion = None
        if self._dialogue:
            self._left.append(self._dialogue)

    def _close_left(self) -> None:
        """End the readings that are left: what they keep is the model's state, which is theirs until then."""
        with self._leaving:
            while self._left:
                self._left.pop().close()

    # The paper

    def _open(self, turn: int, reference: str, password: str | None) -> None:
        self._close_left()
        file = self._located(turn, reference)
        for event in index(file, self._settings, self._encoder, password):
            if turn != self._opened:
                return
            if isinstance(event, Progress):
                self._post(messages.Worked(_PARTS[event.unit], event.label, event.done, event.total))
            else:
                self._take(event)
                known = PaperRef.of(event.paper, reference)
                self._post(messages.PaperRead(event.paper, known, file, password, event.stage))
        self._read_on()

    def _located(self, turn: int, reference: str) -> Path:
        for event in locate(reference, max_megabytes=self._settings.download_megabytes):
            if isinstance(event, Path):
                return event
            if turn == self._opened:
                self._post(messages.Worked("text", event.label, event.done, event.total))
        raise AssertionError("a paper's place is the last thing that is located")

    def _take(self, indexed: Indexed) -> None:
        self._indexed, self._companion = indexed, None
        if self._dialogue:
            self._dialogue.improve(indexed)
        else:
            self._dialogue = self._about(indexed)

    def _about(self, indexed: Indexed) -> Dialogue:
        return Dialogue(
            answerer_of(indexed, self._model, self._encoder.encode, self._settings.passages, self._decoding),
            self._using,
        )

    # The model

    def _fetch(self, turn: int, coming: Coming, before: Coming) -> None:
        self._close_left()
        before.close()
        settings = replace(self._settings, model=coming.name)
        if settings.engine == "llamacpp" and not catalog.ready(spec := catalog.find(coming.name)):
            told = wording.fetching(spec)
            for event in catalog.pull(spec):
                if turn != self._loaded:
                    return
                if isinstance(event, Progress):
                    self._post(messages.Worked("model", told, event.done, event.total))
        self._post(messages.Worked("model", "loading"))
        coming.arrive(self._load(settings))
        if turn != self._loaded:
            coming.close()
            return
        self._away = True  # until it was seen
        self._look(coming)
        self._read_on()

    def _look(self, coming: Coming) -> None:
        """Say whether a server is there; a model of this machine is. Either may be asked."""
        try:
            if isinstance(coming.arrived, Remote):
                coming.arrived.look()
        except MoziError as error:
            self._post(messages.ModelFailed(coming.name, error.message, error.hint))
        else:
            self._away = False
            self._post(messages.ModelReady(coming.name))

    def _read_on(self) -> None:
        """Let the model read the paper, once both are there and nothing is being answered."""
        with self._using:
            indexed, dialogue, model = self._indexed, self._dialogue, self._model.arrived
            if not (indexed and dialogue and model) or indexed.stage != "dense" or dialogue.background:
                return
            gigabytes = self._settings.states_gigabytes
            report = None
            if reading := taken_up(indexed.paper, model, gigabytes):
                report = self._reporter(dialogue, reading, indexed.paper.pages)
                report(reading.reached)
            else:
                self._post(messages.ReadingStopped(""))
            dialogue.read_on(briefing(indexed, model, gigabytes), reading, report)
            if self._dialogue is not dialogue:  # another paper was opened meanwhile
                dialogue.close()

    def _reporter(self, dialogue: Dialogue, reading: Reading, pages: int) -> Callable[[Prefill], None]:
        def report(reached: Prefill) -> None:
            if self._dialogue is dialogue:
                page = pages if reading.complete else reading.beginning.page(reached)
                left_out = reading.beginning.left_out
                self._post(messages.ReadOn(page, pages, reading.complete, left_out))

        return report

    # Answers

    def _read_along(self) -> None:
        """Follow the question that is being written; the reading of the paper waits for as long."""
        with self._aside():
            self._drafting.follow(self._anticipate)

    def _anticipate(self, draft: Draft, passed: Callable[[], bool]) -> None:
        if draft.mode == "support":
            companion, _ = self._listener()
            read_ahead(self._model, companion.expected(draft.question, draft.history), passed)
        # Passages that are not final yet would be read in vain.
        elif self._dialogue and self._indexed and self._indexed.stage == "dense":
            self._dialogue.anticipate(draft.question, draft.history, passed)

    def _aside(self) -> AbstractContextManager[object]:
        """The model for oneself."""
        return self._dialogue.aside() if self._dialogue else self._using

    def _answer(self, asking: Asking, history: Sequence[Turn]) -> None:
        dialogue = self._dialogue
        if asking.mode == "support":
            companion, model = self._listener()
            with closing(model):
                asking.reply(companion, history)
        elif dialogue:
            asking.answer(dialogue, history)
        if self._away:
            self._look(self._model)
        if dialogue and dialogue.background and (failure := dialogue.background.failure):
            self._post(messages.ReadingStopped(failure.message))

    def _listener(self) -> tuple[Companion, Held]:
        """The companion of this conversation, which remembers what a long one was about, and its model."""
        if self._companion is None:
            retriever = self._indexed.retriever if self._indexed else None
            model = Held(self._model, self._aside)
            self._companion = Companion(model, self._decoding, self._settings.locale, retriever), model
        return self._companion
