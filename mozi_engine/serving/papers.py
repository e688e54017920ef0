"""The papers that are open: those named at the start stay, those sent are closed when there are too many."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread
from starlette.requests import Request

from mozi_engine.errors import PaperError, PasswordError
from mozi_engine.indexing import Indexed, index
from mozi_engine.retrieval.dense import Encoder
from mozi_engine.serving import requests
from mozi_engine.serving.refusals import Refused
from mozi_engine.sessions.conversations import PaperRef
from mozi_engine.settings import Settings
from mozi_engine.types import Progress

MOST = 16  # papers sent that are open at a time: some megabytes each
PASSWORD = "x-pdf-password"  # noqa: S105  the header's name
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Opened:
    """A paper that can be asked about. Opening it took `read_ms` milliseconds."""

    ref: PaperRef
    indexed: Indexed
    read_ms: float


class Papers:
    """Open papers by their ids."""

    def __init__(self, named: Iterable[Opened], most: int = MOST) -> None:
        """`most` is how many are open besides those `named` at the start."""
        self._named = {opened.ref.id: opened for opened in named}
        self._sent: OrderedDict[str, Opened] = OrderedDict()  # used last comes last
        self._most, self._lock = most, threading.Lock()

    def all(self) -> tuple[Opened, ...]:
        """Those named first, then the others, the one used last at the end."""
        with self._lock:
            return (*self._named.values(), *self._sent.values())

    def add(self, opened: Opened) -> None:
        """Open a paper that was sent; where there are too many, the one not used the longest is closed."""
        with self._lock:
            if opened.ref.id not in self._named:
                self._sent[opened.ref.id] = opened
                self._sent.move_to_end(opened.ref.id)
            while len(self._sent) > self._most:
                self._sent.popitem(last=False)

    def find(self, named: str) -> Opened:
        """The paper with that sha256 or reference; the only one for "". Raises Refused."""
        found = [
            opened for opened in self.all() if not named or named in (opened.ref.id, opened.ref.reference)
        ]
        if not named and len(found) != 1:
            raise Refused(400, f"which paper? {len(found)} are open", 'send {"paper": "SHA256"}; GET /papers')
        if not found:
            hint = "GET /papers lists those that are; POST its PDF to /papers"
            raise Refused(404, "no such paper is open", hint)
        with self._lock, suppress(KeyError):
            self._sent.move_to_end(found[0].ref.id)
        return found[0]


@dataclass(frozen=True, slots=True)
class Upload:
    """A PDF that was sent, in a folder that is deleted once it has been read."""

    folder: TemporaryDirectory[str]
    password: str | None

    @property
    def path(self) -> Path:
        """Where it lies until then."""
        return Path(self.folder.name, "paper.pdf")


async def received(request: Request, megabytes: int) -> Upload:
    """The PDF in a request's body. Raises Refused where it is none, or larger than so many megabytes."""
    most = megabytes * _MEGABYTE
    requests.check_length(request, most)
    upload = Upload(TemporaryDirectory(prefix="mozi-"), request.headers.get(PASSWORD))
    try:
        with upload.path.open("wb") as file:
            async for piece in request.stream():
                await to_thread.run_sync(file.write, piece)
                if file.tell() > most:
                    raise requests.too_large(most)
        _look_at(upload.path)
    except BaseException:  # the client may have left, too
        upload.folder.cleanup()
        raise
    return upload


def _look_at(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(1024)
    if b"%PDF" not in head:
        message = "the body is not a PDF" if head else "the body is empty"
        raise Refused(415, message, "send the file itself: curl --data-binary @paper.pdf")


def opening(
    upload: Upload, papers: Papers, settings: Settings, encoder: Encoder
) -> Generator[Progress | Opened, None, None]:
    """Read what was sent, and open it; the last event is the paper. Raises PaperError, Refused."""
    started = time.perf_counter()
    try:
        with closing(index(upload.path, settings, encoder, upload.password)) as events:
            for event in events:
                if isinstance(event, Progress):
                    yield event
                else:
                    indexed = event
    except PasswordError as error:
        raise PaperError(error.message, f"send it in the header {PASSWORD}") from error
    read_ms = (time.perf_counter() - started) * 1000
    opened = Opened(
        PaperRef(indexed.paper.id, indexed.paper.title, "", indexed.paper.pages), indexed, read_ms
    )
    papers.add(opened)
    yield opened
