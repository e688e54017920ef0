"""What the real llama.cpp remembers of a paper: whole, or read again; a tiny model in the place of a large one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mozi_engine import states
from mozi_engine.generation import engines
from mozi_engine.generation.llamacpp import LlamaCpp
from mozi_engine.reading import Reading
from mozi_engine.settings import Settings
from mozi_engine.types import Paper
from tests import papers

LIMIT = 10**9
PAPER = papers.paper(papers.paragraph(*papers.column(["We build a graph of nodes."] * 9)), title="A Graph")


def load(gguf: Path) -> LlamaCpp:
    model = engines.load(Settings(model=str(gguf), context=4096))
    assert isinstance(model, LlamaCpp)
    return model


def recalled(model: LlamaCpp, paper: Paper = PAPER) -> Reading:
    reading = Reading(paper, model, LIMIT)
    reading.recall()
    return reading


def assert_read_again(model: LlamaCpp) -> None:
    """Nothing is known of the paper, and nothing is in the way of reading it."""
    reading = recalled(model)
    assert reading.reached.done == 0
    list(reading.steps())
    assert reading.complete
    assert reading.remembered
    assert recalled(model).complete


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [flipped, cut])
def test_a_damaged_state_is_read_again_quietly(gguf: Path, damage: Callable[[bytes], bytes]) -> None:
    model = load(gguf)
    reading = Reading(PAPER, model, LIMIT)
    list(reading.steps())
    assert recalled(load(gguf)).complete
    state = states.file(reading._name)
    state.write_bytes(damage(state.read_bytes()))
    assert_read_again(model)


KEEPING = """
import sys, time
from mozi_engine import states
from tests.unit.test_remembering import LIMIT, PAPER, Path, Reading, load

def stop(*_, **__):
    print("there", flush=True)
    time.sleep(600)

model = load(Path(sys.argv[1]))
reading = Reading(PAPER, model, LIMIT)
model.save, save = lambda name: (save(name), sys.argv[2] == "written" and stop()), model.save
if sys.argv[2] == "named":
    states.atomic = stop
list(reading.steps())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
@pytest.mark.parametrize("moment", ["written", "named"])
def test_a_process_killed_while_it_keeps_a_state_leaves_nothing_that_is_taken_up(
    gguf: Path, moment: str
) -> None:
    command = [sys.executable, "-c", KEEPING, str(gguf), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeping:
        assert keeping.stdout
        assert keeping.stdout.readline() == "there\n"
        keeping.kill()
        assert keeping.wait() == -signal.SIGKILL
    assert [path for path in states.folder().iterdir() if path.suffix in (".part", ".state")]
    assert_read_again(load(gguf))


def test_a_state_that_llama_cpp_could_not_write_whole_is_not_kept(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(gguf)
    reading = Reading(PAPER, model, LIMIT)
    post = LlamaCpp._post

    def on_a_full_disk(self: LlamaCpp, path: str, body: dict[str, Any]) -> Any:
        answer = post(self, path, body)
        if path.endswith("action=save"):
            file = model.states / body["filename"]
            file.write_bytes(cut(file.read_bytes()))
        return answer

    monkeypatch.setattr(LlamaCpp, "_post", on_a_full_disk)
    list(reading.steps())
    assert reading.complete
    assert not reading.remembered
    monkeypatch.undo()
    assert states.find(reading._name) is None
