"""How fast the full screen is: first paint, keys while a model writes, turning pages, long conversations.

    python benchmarks/screen.py [PAPER]

The first two are measured in a pseudo-terminal, from outside; the others inside a running app without one.
A key has arrived when an emulated terminal (pyte) shows it in the question; what else is drawn meanwhile does
not count. Needs the default model on the disk and a machine that does nothing else; keeps nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

EXAMPLE = Path(__file__).parent.parent / "examples" / "N18-3011.pdf"
MOZI = str(Path(sys.executable).with_name("mozi"))
ROWS, COLUMNS = 40, 120
STARTS = 10
KEYS = 40
TURNS = 24
EXCHANGES = 500
QUESTION = "How many author nodes does the literature graph have?"


class Screen:
    """A mozi in a pseudo-terminal; what it draws is read as it comes."""

    def __init__(self, *arguments: object) -> None:
        self._terminal = pyte.Screen(COLUMNS, ROWS)
        self._emulator = pyte.ByteStream(self._terminal)
        self._read_at = 0.0
        self._screen, keyboard = pty.openpty()
        fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [MOZI, "chat", *map(str, arguments)],
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            env=_environment(),
            start_new_session=True,
        )
        os.close(keyboard)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._screen, text.encode())

    def settle(self, seconds: float) -> None:
        """Draw what comes for so long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._draw(left)

    def until(self, text: str, seconds: float = 300) -> float:
        """Wait until this stands on the screen; the time it was read, by `perf_counter`."""
        end = time.perf_counter() + seconds
        while not any(text in line for line in self._terminal.display):
            if not self._draw(max(0, end - time.perf_counter())):
                raise TimeoutError(f"{text!r} was not drawn")
        return self._read_at

    def _draw(self, seconds: float) -> bool:
        if not select.select([self._screen], [], [], seconds)[0]:
            return False
        drawn, self._read_at = os.read(self._screen, 1 << 16), time.perf_counter()
        self._emulator.feed(drawn)
        return True

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        os.close(self._screen)


def _environment() -> dict[str, str]:
    """What a person's shell has: an installed mozi is compiled once, which some machines forbid."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"TERM": "xterm-256color"}


@contextmanager
def screen(*arguments: object) -> Iterator[Screen]:
    """A mozi that is ended afterwards."""
    shown = Screen(*arguments)
    try:
        yield shown
    finally:
        shown.close()


def first_paint(paper: Path) -> float:
    """Seconds from the shell to the first frame."""
    with screen(paper) as shown:
        return shown.until("conversation") - shown.started


def keystrokes(paper: Path) -> list[float]:
    """Milliseconds from a key to its letter on the screen, while the model reads and answers."""
    taken = []
    with screen(paper) as shown:
        for part in ("✓ model", "✓ index"):
            shown.until(part)
        shown.type(QUESTION + "\r")
        shown.until("reading, ")
        shown.type("~~")
        for at in range(3, KEYS + 3):
            shown.settle(0.25)
            pressed = time.perf_counter()
            shown.type("~")
            taken.append((shown.until("~" * at) - pressed) * 1000)
    return taken


async def inside(paper: Path) -> dict[str, float]:
    """The event loop's lag while the model writes, page turns, a long conversation: milliseconds."""
    from mozi_cli.tui.app import ChatApp
    from mozi_cli.tui.start import Start
    from mozi_engine.settings import load
    from mozi_engine.types import GenerationSettings

    app = ChatApp(Start(load(), GenerationSettings(), str(paper)))
    measured: dict[str, float] = {}
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await _ready(app)
        measured["page turn"] = await _turns(app, pilot)
        await app.ask(QUESTION)
        measured["worst lag"], measured["median lag"] = await _lag(app)
        session = _long_conversation(app)
        began = time.perf_counter()
        app.resume(session)
        while len(app.chat.transcript.views) < EXCHANGES:
            await asyncio.sleep(0.005)
        await pilot.pause()
        measured[f"{EXCHANGES} exchanges"] = (time.perf_counter() - began) * 1000
        measured["scroll back"] = await _scroll(app, pilot)
        await asyncio.to_thread(app.desk.close)
        await pilot.pause()
    return measured


async def _ready(app: Any) -> None:
    while app.desk is None or app.chat.status.state("model").stage != "ready":
        await asyncio.sleep(0.02)
    while app.chat.status.state("index").stage != "ready":
        await asyncio.sleep(0.02)


async def _turns(app: Any, pilot: Any) -> float:
    taken = []
    page = app.chat.page
    for at in range(TURNS):
        began = time.perf_counter()
        page.turn(at % page.pages + 1)
        await pilot.pause()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def _lag(app: Any) -> tuple[float, float]:
    late = []
    while app.busy:
        began = time.perf_counter()
        await asyncio.sleep(0.01)
        late.append((time.perf_counter() - began - 0.01) * 1000)
    return max(late), statistics.median(late)


async def _scroll(app: Any, pilot: Any) -> float:
    """The slowest of ten screens back."""
    taken = []
    for _ in range(10):
        began = time.perf_counter()
        app.chat.transcript.scroll_page_up(animate=False)
        await pilot.pause()
        taken.append((time.perf_counter() - began) * 1000)
    return max(taken)


def _long_conversation(app: Any) -> str:
    """The answer there is, so many times over."""
    from mozi_engine.sessions.conversations import begin

    answer = app.chat.transcript.views[-1].answer
    session = begin("paper", app.session.paper, app.model)
    for number in range(EXCHANGES):
        exchange = app.store.ask(session, f"{number}. {QUESTION}")
        app.store.settle(exchange, answer)
    return session.id


def main() -> None:
    """Measure, and print a table."""
    paper = Path(sys.argv[1]) if sys.argv[1:] else EXAMPLE
    models = _models()
    with tempfile.TemporaryDirectory() as home:
        os.environ["MOZI_HOME"] = home
        Path(home, "data").mkdir()
        Path(home, "data", "models").symlink_to(models)
        load = os.getloadavg()[0]
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
        paints = [first_paint(paper) for _ in range(STARTS)]
        print(f"first paint: {statistics.median(paints):.2f} s (best {min(paints):.2f})", flush=True)
        keys = keystrokes(paper)
        slow = statistics.quantiles(keys, n=20)[-1]
        told = f"median {statistics.median(keys):.0f} ms, 95% {slow:.0f} ms"
        print(f"key to screen while answering: {told}", flush=True)
        for name, milliseconds in asyncio.run(inside(paper)).items():
            print(f"{name}: {milliseconds:.0f} ms", flush=True)


def _models() -> Path:
    from mozi_engine.models import catalog
    from mozi_engine.settings import Settings

    spec = catalog.find(Settings().model)
    for _ in catalog.pull(spec):
        pass
    return catalog.folder(spec).parent.resolve()


if __name__ == "__main__":
    main()
