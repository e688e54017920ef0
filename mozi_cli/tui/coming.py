"""A model that may still be on its way: who asks it waits, and can stop waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from collections.abc import Generator as EventStream

from mozi_engine.errors import ModelError, MoziError
from mozi_engine.types import Anticipating, GenerationSettings, Generator, Prefill, Turn, Usage

_HEARTBEAT = 0.1  # seconds between two signs that it is still waited for


class Coming:
    """Keeps types.Generator and types.Anticipating; `arrived` is the model, once it is there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrived: Generator | None = None
        self._failure: MoziError | None = None
        self._known = threading.Event()

    def arrive(self, model: Generator) -> None:
        """Here it is."""
        self.arrived, self.name = model, model.name
        self._known.set()

    def fail(self, error: MoziError) -> None:
        """It will not come."""
        self._failure = error
        self._known.set()

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> EventStream[str | Prefill | Usage, None, None]:
        """As the model's own, after a Prefill of nothing; now and then another, before it is there.

        Raises why it fails.
        """
        while not self._known.wait(_HEARTBEAT):
            yield Prefill(0, 0, 0)
        yield Prefill(0, 0, 0)  # who waited until others had done with it may not want it any more
        model = self.arrived
        if model is None:
            raise self._failure or ModelError("the model was put away", hint="ask again")
        yield from model.stream(messages, settings)

    def anticipate(
        self, messages: Sequence[Turn], held: Callable[[], bool]
    ) -> EventStream[Prefill, None, None]:
        """As the model's own; nothing before it is there, or where it has no such thing."""
        if isinstance(self.arrived, Anticipating):
            yield from self.arrived.anticipate(messages, held)

    def close(self) -> None:
        """Give back what it takes: at once for a process of its own."""
        model, self.arrived = self.arrived, None
        self._known.set()
        if close := getattr(model, "close", None):
            close()
