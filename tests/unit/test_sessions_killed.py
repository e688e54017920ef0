"""Processes that write at the same time, and one that is killed while it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mozi_engine.sessions.store import Store

_TALKING = """
import sys
from contextlib import suppress
from pathlib import Path
from mozi_engine.errors import DataError
from mozi_engine.sessions.conversations import begin
from mozi_engine.sessions.store import Store

name = sys.argv[2]
with Store.open(Path(sys.argv[1])) as store:
    for number in range(15):
        session = begin("paper")
        exchange = store.ask(session, f"{name} {number}")
        for token in range(15):
            store.grow(exchange, f"{token} ")
        store.settle(exchange, store.load(session.id).exchanges[0].text)
        if number % 5 == 4:
            with suppress(DataError):  # it is deleted, but the log that others write to may not be emptied
                store.delete(session.id)
"""

_GROWING = """
import sys
from pathlib import Path
from mozi_engine.sessions.conversations import begin
from mozi_engine.sessions.store import Store

store = Store.open(Path(sys.argv[1]))
exchange = store.ask(begin("paper"), "How large?")
token = 0
while True:
    store.grow(exchange, f"{token} ")
    print(token, flush=True)
    token += 1
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    running = [
        subprocess.Popen([sys.executable, "-c", _TALKING, path, name], stderr=subprocess.PIPE)
        for name in ("one", "two", "three")
    ]
    assert [(process.communicate()[1], process.returncode) for process in running] == [(b"", 0)] * 3
    with Store.open(path) as store:
        assert store.set_aside is None
        kept = [store.load(summary.session.id) for summary in store.recent()]
    assert {conversation.exchanges[0].question for conversation in kept} == {
        f"{name} {number}" for name in ("one", "two", "three") for number in range(15) if number % 5 != 4
    }
    whole = "".join(f"{token} " for token in range(15))
    assert {conversation.exchanges[0].text for conversation in kept} == {whole}


def test_a_killed_process_loses_at_most_the_token_it_was_writing(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    process = subprocess.Popen([sys.executable, "-c", _GROWING, path], stdout=subprocess.PIPE)
    assert process.stdout
    for _ in range(100):
        process.stdout.readline()
    process.kill()
    said = 100 + len(process.stdout.read().splitlines())
    process.stdout.close()
    process.wait()
    with Store.open(path) as store:
        (summary,) = store.recent()
        (kept,) = store.load(summary.session.id).exchanges
    assert (kept.question, kept.state) == ("How large?", "stopped")
    tokens = kept.text.split()
    assert tokens == [str(number) for number in range(len(tokens))]
    assert len(tokens) in (said, said + 1)
