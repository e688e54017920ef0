"""What keeping conversations costs: a token, an answer, opening one of 500 exchanges.

    python benchmarks/sessions.py

Prints a Markdown table. Needs no model: the answers quote passages of the example paper.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mozi_engine.files import size
from mozi_engine.paper.opening import read_all
from mozi_engine.paper.passages import split
from mozi_engine.sessions.conversations import PaperRef, Session, begin
from mozi_engine.sessions.store import Store
from mozi_engine.types import Answer, Citation, Evidence, Passage, Timings

EXAMPLE = Path(__file__).parent.parent / "examples" / "N18-3011.pdf"
EXCHANGES = 500
TOKENS = 200


def main() -> None:
    """Measure, and print."""
    paper = read_all(EXAMPLE)
    passages = split(paper)
    session = begin("paper", PaperRef.of(paper, str(EXAMPLE)), "a model")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.db"
        print("| what | milliseconds, median |\n|---|---|")
        with Store.open(path) as store:
            _row("keep a token", lambda grow: _grow(store, session, grow))
            _row("keep a whole answer", lambda settle: _settle(store, session, passages, settle))
        _row("open the store", lambda timed: [timed(lambda: Store.open(path).close()) for _ in range(9)])
        with Store.open(path) as store:
            count = len(store.load(session.id).exchanges)
            what = f"load a conversation of {count} exchanges ({size(path.stat().st_size)})"
            _row(what, lambda timed: [timed(lambda: store.load(session.id)) for _ in range(9)])


def _row(what: str, measure: Callable[[Callable[[Callable[[], object]], None]], object]) -> None:
    taken: list[float] = []

    def timed(act: Callable[[], object]) -> None:
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1000)

    measure(timed)
    print(f"| {what} | {statistics.median(taken):.2f} (slowest {max(taken):.2f}) |")


def _grow(store: Store, session: Session, timed: Callable[[Callable[[], object]], None]) -> None:
    for _ in range(10):
        exchange = store.ask(session, "How large is the literature graph?")
        for _ in range(TOKENS):
            timed(lambda exchange=exchange: store.grow(exchange, " token"))
        store.stop(exchange)


def _settle(
    store: Store,
    session: Session,
    passages: tuple[Passage, ...],
    timed: Callable[[Callable[[], object]], None],
) -> None:
    chance = random.Random(0)  # noqa: S311
    for number in range(EXCHANGES - 10):
        exchange = store.ask(session, f"Question {number}?")
        evidence = tuple(Evidence(p, 1.0, rank) for rank, p in enumerate(chance.sample(passages, 5), 1))
        citation = Citation((0, 10), 0, 0, 10, 0.5)
        answer = Answer("It is large. " * 20, "answered", evidence, (citation,), (), (), Timings())
        timed(lambda exchange=exchange, answer=answer: store.settle(exchange, answer))


if __name__ == "__main__":
    main()
