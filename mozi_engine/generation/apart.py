"""A model in a process of its own: neither loading it nor losing it stops who talks to it.

xllamacpp holds Python's interpreter while it loads a model, and a screen in the same process would stand
still. What crosses the pipe is a `Call`, then its events, then an `End`; the child looks, between two events,
whether it is to stop.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as EventStream
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, cast

from mozi_engine.errors import ModelError, MoziError
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Prefill, Remembering, Turn, Usage

_POLL = 0.02  # seconds between two looks at whether a read is held
_STREAMED = ("stream", "read", "anticipate", "brief")  # methods that return events
_LOAD_AGAIN = "load it again, or a smaller one; `mozi doctor` looks"


@dataclass(frozen=True, slots=True)
class Call:
    """A method of the model, and what it is given."""

    method: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The call is over: what it returned, or what it raised."""

    value: Any = None
    error: MoziError | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The events of the call under way are no longer wanted."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a model is, whatever it does."""

    name: str
    identity: str
    context: int
    states: Path


class Apart:
    """A local model that runs in a child process. Keeps types.Remembering and types.Anticipating."""

    def __init__(self, settings: Settings) -> None:
        """Load it: seconds, in which other threads go on. Raises what `engines.load` raises."""
        self._pipe, theirs = Pipe()
        # Not multiprocessing's own Process: it wants a stderr that is a file, which a full screen has not.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mozi_engine.generation.apart", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is for the parent to act on
        )
        theirs.close()
        self._calling = threading.Lock()
        known: Known = self._call("load", settings)
        self.name, self.identity = known.name, known.identity
        self.context, self.states = known.context, known.states

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> EventStream[str | Prefill | Usage, None, None]:
        """As LlamaCpp's."""
        return self._events(Call("stream", (tuple(messages), settings)))

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> EventStream[Prefill, None, None]:
        """As LlamaCpp's; `held` is asked while a piece is read too."""
        return self._events(Call("read", (tuple(beginning),)), held)

    def anticipate(
        self, messages: Sequence[Turn], held: Callable[[], bool]
    ) -> EventStream[Prefill, None, None]:
        """As LlamaCpp's."""
        return self._events(Call("anticipate", (tuple(messages),)), held)

    def count_tokens(self, text: str) -> int:
        """How many tokens the text is to this model."""
        return int(self._call("count_tokens", text))

    def save(self, name: str) -> None:
        """Write the state after what was read to `states/name`."""
        self._call("save", name)

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        """Take up `states/name`, written after reading `beginning` or a part of it."""
        self._call("restore", name, tuple(beginning))

    def forget(self) -> bool:
        """As LlamaCpp's."""
        return bool(self._call("forget"))

    def close(self) -> None:
        """End the process, whatever it is doing, and give its memory back."""
        self._process.kill()
        self._process.wait()

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._calling:
            self._send(Call(method, arguments))
            return _returned(self._receive())

    def _events(self, call: Call, held: Callable[[], bool] = lambda: False) -> EventStream[Any, None, None]:
        with self._calling:
            self._send(call)
            asked_to_stop = False
            item: Any = None
            try:
                while not isinstance(item := self._next(held, asked_to_stop), End):
                    if isinstance(item, Stop):
                        asked_to_stop = True
                    else:
                        yield item
            finally:
                if not isinstance(item, End):
                    self._drain(asked_to_stop)
            _returned(item)

    def _next(self, held: Callable[[], bool], asked_to_stop: bool) -> Any:
        """What the child says next; Stop when it was told so because the call is `held`."""
        while not self._pipe.poll(_POLL):
            if not asked_to_stop and held():
                self._send(Stop())
                return Stop()
        return self._receive()

    def _drain(self, asked_to_stop: bool) -> None:
        """Leave the pipe empty for the next call: the child ends its piece first."""
        if not asked_to_stop:
            self._send(Stop())
        while not isinstance(self._receive(), End):
            pass

    def _send(self, message: Call | Stop) -> None:
        with _lost():
            self._pipe.send(message)

    def _receive(self) -> Any:
        with _lost():
            return self._pipe.recv()


class BriefedApart(Apart):
    """One that also keeps what LlamaCpp keeps of single passages."""

    def brief(self, opening: Sequence[Turn], held: Callable[[], bool]) -> EventStream[Prefill, None, None]:
        """Read what prompts about single passages begin with. Saved and restored by the next two."""
        return self._events(Call("brief", (tuple(opening),)), held)

    def save_brief(self, name: str) -> None:
        """Write the state after `brief` to `states/name`."""
        self._call("save_brief", name)

    def restore_brief(self, name: str, opening: Sequence[Turn]) -> None:
        """Take up `states/name`, written after `brief` of this opening."""
        self._call("restore_brief", name, tuple(opening))


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise ModelError(
            "the model's process has ended", f"it may have run out of memory: {_LOAD_AGAIN}"
        ) from error


def _returned(end: End) -> Any:
    if end.error:
        raise end.error
    return end.value


def _serve(pipe: Connection) -> None:
    """The child: load the model, then do as it is called, until the other side is gone."""
    # Here, since the parent only talks to it.
    from mozi_engine.generation import engines

    try:
        (settings,) = pipe.recv().arguments
        model = cast(Remembering, engines.load(settings))
        pipe.send(End(Known(model.name, model.identity, model.context, model.states)))
        while True:
            _answer(model, pipe)
    except MoziError as error:
        pipe.send(End(error=error))
    except (EOFError, OSError):
        os._exit(0)  # at once: nobody waits for what the model is still doing


def _answer(model: Remembering, pipe: Connection) -> None:
    match pipe.recv():
        case Call(method, arguments):
            pipe.send(_done(model, method, arguments, pipe))
        case Stop():  # came after the events had ended by themselves
            pass


def _done(model: Remembering, method: str, arguments: tuple[Any, ...], pipe: Connection) -> End:
    """Do what is called, and send the events as they come."""
    try:
        if method not in _STREAMED:
            return End(getattr(model, method)(*arguments))
        more = () if method == "stream" else (pipe.poll,)
        _send_all(getattr(model, method)(*arguments, *more), pipe)
    except MoziError as error:
        return End(error=error)
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001  the process's edge: the parent tells it
        return End(error=ModelError(f"the model failed: {type(error).__name__}: {error}", _LOAD_AGAIN))
    return End()


def _send_all(events: EventStream[Any, None, None], pipe: Connection) -> None:
    """Send the events as they come, until they end or the other side has heard enough."""
    with closing(events):
        for event in events:
            pipe.send(event)
            if pipe.poll():
                break


if __name__ == "__main__":
    # By its importable name: what crosses the pipe must be of the same classes on both sides.
    from mozi_engine.generation import apart

    apart._serve(Connection(int(sys.argv[1])))
