"""The paths of the HTTP API, and what stands behind each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mozi_engine.errors import MoziError
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.serving import events, original, papers, refusals, requests
from mozi_engine.serving.guard import Guard
from mozi_engine.serving.papers import Papers
from mozi_engine.serving.streams import EventResponse, Line
from mozi_engine.serving.voices import Voices
from mozi_engine.sessions import records
from mozi_engine.settings import Settings
from mozi_engine.support.companion import introduction

_WAITING = 8  # requests in line, before others are sent away
_AT_ONCE_ELSEWHERE = 4  # what a server that runs the model is sent at a time
_DESCRIPTION = """\
mozi {version}: questions about papers, answered with exact citations. The model is {model}.

GET  /papers     the papers that are open, by sha256
POST /papers     a PDF: read, and open
                 curl {at}papers --data-binary @paper.pdf
POST /ask        an answer: {{"question", "paper": SHA256, "history": [{{"role", "content"}}]}}
                 curl {at}ask -d '{{"question": "What data do they use?"}}'
POST /evidence   passages alone, without the model: {{"question", "paper", "passages"}}
POST /companion  a reply to someone who has a hard time: {{"message", "history", "locale", "paper"}}
GET  /health     whether it is there, and how many wait

With one paper open, "paper" may be left out. With -H 'Accept: text/event-stream' (and curl -N), what happens
is told while it happens: searching, evidence, prefill, token; `done` has the record, `error` what went wrong.
POST /paper_ground_dialog and /emotional_dialog take and give what the original Mozi's demo did.
"""


@dataclass(slots=True)
class Service:
    """What is served. `stopping`, once set, ends what is under way."""

    voices: Voices
    papers: Papers
    settings: Settings
    encoder: Encoder
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def application(service: Service, key: str = "", host: str = "") -> Starlette:
    """The API as an ASGI application. `key` of "" lets in this machine alone, under its names and `host`.

    When it is shut down, what the model has read of a paper is kept.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await to_thread.run_sync(service.voices.close)

    app = Starlette(
        routes=_Paths(service).routes(),
        middleware=[Middleware(Guard, key=key, host=host)],
        exception_handlers={
            MoziError: refusals.refused,
            HTTPException: refusals.unrouted,
            ClientDisconnect: refusals.left,
            Exception: refusals.unforeseen,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


class _Paths:
    """One method a path."""

    def __init__(self, service: Service) -> None:
        self._voices, self._papers = service.voices, service.papers
        self._settings, self._encoder = service.settings, service.encoder
        self._stopping = service.stopping
        self._asking = Line(1 if service.settings.engine != "remote" else _AT_ONCE_ELSEWHERE, _WAITING)
        self._receiving, self._opening = Line(2, _WAITING), Line(1, _WAITING)

    def routes(self) -> list[Route]:
        """Every path with its method."""
        get = {"/": self.description, "/health": self.health}
        post = {
            "/ask": self.ask,
            "/evidence": self.evidence,
            "/companion": self.companion,
            "/paper_ground_dialog": self.paper_ground_dialog,
            "/emotional_dialog": self.emotional_dialog,
        }
        return [
            *(Route(path, endpoint) for path, endpoint in get.items()),
            Route("/papers", self.papers, methods=["GET", "POST"]),
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in post.items()),
        ]

    async def description(self, request: Request) -> Response:
        """What there is, for people."""
        told = {"version": version("mozi"), "model": self._voices.model.name, "at": request.base_url}
        return PlainTextResponse(_DESCRIPTION.format(**told))

    async def health(self, _: Request) -> Response:
        """Whether it is there, and what it has to do."""
        told = {"status": "ok", "version": version("mozi"), "model": self._voices.model.name}
        return JSONResponse(told | {"papers": len(self._papers.all()), "waiting": self._asking.waiting})

    async def papers(self, request: Request) -> Response:
        """List the open papers, or open the one that is sent."""
        if request.method != "POST":
            return JSONResponse({"papers": [records.paper_record(o.ref) for o in self._papers.all()]})
        async with self._receiving.place():
            upload = await papers.received(request, self._settings.download_megabytes)
        opening = papers.opening(upload, self._papers, self._settings, self._encoder)
        return EventResponse(
            opening, events.of_opening, self._stopping, self._opening, status=201, held=upload.folder
        )

    async def ask(self, request: Request) -> Response:
        """Answer a question about a paper."""
        asked = requests.question(await requests.received(request))
        opened = self._papers.find(asked.paper)
        answer = self._voices.answer(opened, asked.text, asked.history)
        say = partial(events.of_answer, asked.text, self._voices.model.name, opened.read_ms)
        return EventResponse(answer, say, self._stopping, self._asking)

    async def evidence(self, request: Request) -> Response:
        """Search a paper."""
        wanted = requests.search(await requests.received(request))
        retriever = self._papers.find(wanted.paper).indexed.retriever
        found = await to_thread.run_sync(retriever.search, wanted.text, wanted.passages)
        return _json(records.evidence_record(wanted.text, found))

    async def companion(self, request: Request) -> Response:
        """Reply to a message; at once where the reply is in fixed words, however many wait."""
        message = requests.message(await requests.received(request))
        retriever = self._papers.find(message.paper).indexed.retriever if message.paper else None
        heard = await to_thread.run_sync(self._voices.hear, message)
        first = "" if message.history else introduction(heard.message.locale)
        say = partial(events.of_reply, message.text, self._voices.model.name, first)
        reply = self._voices.reply(heard, retriever=retriever)
        return EventResponse(reply, say, self._stopping, None if heard.fixed else self._asking)

    async def paper_ground_dialog(self, request: Request) -> Response:
        """The original's questions about evidence."""
        given = original.grounded(await requests.received(request), self._settings.engine)
        if given.decoding is None:
            return _json(original.record("", 0.0, succeeded=False))
        answer = self._voices.ground(given.question, given.evidences, given.decoding)
        return EventResponse(answer, events.of_ground, self._stopping, self._asking)

    async def emotional_dialog(self, request: Request) -> Response:
        """The original's companion, with mozi's screen before it."""
        given = original.emotional(await requests.received(request), self._settings.engine)
        if given.decoding is None:
            return _json(original.record("", 0.0, succeeded=False))
        heard = await to_thread.run_sync(self._voices.hear, given.message)
        reply = self._voices.reply(heard, given.decoding)
        return EventResponse(reply, events.of_emotion, self._stopping, None if heard.fixed else self._asking)


def _json(record: str) -> Response:
    return Response(record, media_type="application/json")
