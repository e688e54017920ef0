"""Blocking generators under HTTP: run in threads, stopped when the client leaves, a few at a time.

A response is JSON, made of the last event, or server-sent events for a client that accepts them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mozi_engine.errors import MoziError
from mozi_engine.serving import refusals
from mozi_engine.serving.refusals import Refused

Event = TypeVar("Event")

EVENTS = "text/event-stream"
LAST = "done"  # the event whose data is the whole record


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as it is sent: its name, and its data as one line of JSON."""

    name: str
    data: str

    def encoded(self) -> bytes:
        """As the body of a stream of events has it."""
        return f"event: {self.name}\ndata: {self.data}\n\n".encode()


class Line:
    """Who is served, so many at once, and who waits, first come, first served; the others are sent away."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """`waiting` is how many wait at the most."""
        self._places, self._most = anyio.CapacityLimiter(at_once), waiting

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._places.statistics().tasks_waiting

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for one's turn. Raises Refused where too many wait already."""
        if self._places.available_tokens < 1 and self.waiting >= self._most:
            raise Refused(
                503, f"{self.waiting} wait already", "ask again in a little while", {"Retry-After": "10"}
            )
        async with self._places:
            yield


async def follow(events: Generator[Event, None, None], tell: Callable[[Event], Awaitable[None]]) -> None:
    """Tell every event of a blocking generator, run in threads.

    Cancelled, it closes the generator at the end of the step under way.
    """
    try:
        while (event := await to_thread.run_sync(next, events, None)) is not None:
            await tell(event)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_close, events)


def _close(events: Generator[Event, None, None]) -> None:
    with suppress(ValueError):  # a step that a server in its last grace no longer waited for
        events.close()


class EventResponse(Response, Generic[Event]):
    """The response that a generator's events make, while they happen."""

    def __init__(
        self,
        events: Generator[Event, None, None],
        say: Callable[[Event], Sent | None],
        stopping: asyncio.Event,
        line: Line | None = None,
        *,
        status: int = 200,
        held: AbstractContextManager[object] | None = None,
    ) -> None:
        """`say` names what is sent for an event, LAST for the whole record, None for nothing.

        `held` is let go at the end. Who has no `line` need not wait.
        """
        super().__init__(status_code=status)
        self._events, self._say, self._stopping, self._line = events, say, stopping, line
        self._held = held or nullcontext()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, or the record; raises MoziError where nothing has been sent before."""
        streamed = EVENTS in Headers(scope=scope).get("accept", "")
        stream = _Streamed(send, self.status_code) if streamed else _Whole(send, self.status_code)
        failure: MoziError | None = Refused(503, "mozi serve was stopped", "start it again")
        with self._held:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_left, receive, tasks.cancel_scope)
                tasks.start_soon(_cancel_when_set, self._stopping, tasks.cancel_scope)
                try:
                    await self._follow(stream)
                    failure = None
                except MoziError as error:
                    failure = error
                tasks.cancel_scope.cancel()
        await stream.end(failure)

    async def _follow(self, stream: _Streamed | _Whole) -> None:
        async def tell(event: Event) -> None:
            if sent := self._say(event):
                await stream.tell(sent)

        async with self._line.place() if self._line else nullcontext():
            await follow(self._events, tell)


class _Streamed:
    """Every event as it happens. The status is sent with the first."""

    def __init__(self, send: Send, status: int) -> None:
        self._send, self._status, self._begun = send, status, False

    async def tell(self, sent: Sent) -> None:
        if not self._begun:
            headers = {"content-type": EVENTS, "cache-control": "no-store", "x-accel-buffering": "no"}
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await self._send({"type": "http.response.start", "status": self._status, "headers": raw})
            self._begun = True
        await self._send({"type": "http.response.body", "body": sent.encoded(), "more_body": True})

    async def end(self, failure: MoziError | None) -> None:
        if failure and not self._begun:
            raise failure
        if failure:
            await self.tell(Sent("error", refusals.body(failure)))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class _Whole:
    """The record alone, once it is whole."""

    def __init__(self, send: Send, status: int) -> None:
        self._send, self._status, self._record = send, status, ""

    async def tell(self, sent: Sent) -> None:
        if sent.name == LAST:
            self._record = sent.data

    async def end(self, failure: MoziError | None) -> None:
        if failure:
            raise failure
        body = self._record.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self._send({"type": "http.response.start", "status": self._status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _cancel_when_left(receive: Receive, work: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    work.cancel()


async def _cancel_when_set(event: asyncio.Event, work: anyio.CancelScope) -> None:
    await event.wait()
    work.cancel()
