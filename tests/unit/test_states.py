import errno
import os
import stat
import time
from pathlib import Path

import pytest

from mozi_engine import states
from mozi_engine.errors import ModelError

LIMIT = 1000


def _write(content: bytes):  # type: ignore[no-untyped-def]
    def write(name: str) -> None:
        states.folder().mkdir(parents=True, exist_ok=True)
        (states.folder() / name).write_bytes(content)

    return write


def _keep(name: str, content: bytes = b"state", limit: int = LIMIT) -> bool:
    return states.keep(name, _write(content), 10, 20, limit)


def test_a_state_comes_back_as_it_was_kept() -> None:
    assert _keep("a")
    state = states.find("a")
    assert state is not None
    assert (state.tokens, state.total, state.bytes) == (10, 20, 5)
    assert states.file("a").read_bytes() == b"state"


def test_only_its_owner_may_read_a_state() -> None:
    _keep("a")
    assert stat.S_IMODE(states.file("a").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"stale", b"stat", b"state!", b""])
def test_a_state_with_a_wrong_byte_is_forgotten_and_never_found(damage: bytes) -> None:
    _keep("a")
    states.file("a").write_bytes(damage)
    assert states.find("a") is None
    assert list(states.folder().iterdir()) == []


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b"\xff", b'{"sha256": 1}'])
def test_a_damaged_record_makes_its_state_worthless(record: bytes) -> None:
    _keep("a")
    states.file("a").with_suffix(".json").write_bytes(record)
    assert states.find("a") is None


def test_a_process_killed_while_saving_leaves_nothing_that_is_taken_for_a_state() -> None:
    _write(b"half")(".a.1.part")
    assert states.find("a") is None
    _write(b"without record")("b.state")
    assert states.find("b") is None
    abandoned = states.folder() / ".a.1.part"
    os.utime(abandoned, (time.time() - 7200,) * 2)
    _keep("c")
    assert {path.name for path in states.folder().iterdir()} == {"c.state", "c.json"}


def test_a_save_that_fails_keeps_the_earlier_state() -> None:
    _keep("a", b"earlier")

    def full(name: str) -> None:
        _write(b"half of the la")(name)
        raise OSError(errno.ENOSPC, "No space left on device")

    def refused(name: str) -> None:
        raise ModelError("llama.cpp: cannot save")

    assert not states.keep("a", full, 20, 20, LIMIT)
    assert not states.keep("a", refused, 20, 20, LIMIT)
    assert states.file("a").read_bytes() == b"earlier"
    assert states.find("a") is not None
    assert len(list(states.folder().iterdir())) == 2


def test_the_states_used_longest_ago_go_first() -> None:
    for age, name in enumerate("cba"):
        _keep(name, b"x" * 400, limit=10_000)
        os.utime(states.file(name), (time.time() - 100 + age,) * 2)
    assert states.find("c")  # used now: "b" is the oldest
    _keep("d", b"x" * 400)
    assert {path.stem for path in states.folder().glob("*.state")} == {"c", "d"}


def test_a_state_over_the_limit_is_not_kept() -> None:
    assert not _keep("a", b"x" * 1001)
    assert states.find("a") is None


def test_the_name_depends_on_every_part() -> None:
    names = {
        states.key("m", "ab", "c"),
        states.key("m", "a", "bc"),
        states.key("n", "ab", "c"),
        states.key("mab", "c"),
    }
    assert len(names) == 4


def test_a_folder_that_cannot_be_written_to_costs_nothing(home: Path) -> None:
    (home / "cache").mkdir(parents=True)
    states.folder().write_text("a file where the folder should be")
    assert not states.keep("a", lambda name: (states.folder() / name).write_bytes(b"x"), 1, 1, LIMIT)  # type: ignore[func-returns-value, arg-type, return-value]
    assert states.find("a") is None


def test_which_papers_a_model_has_read_to_their_end() -> None:
    states.keep("whole", _write(b"x"), 20, 20, LIMIT, paper="p", model="qwen")
    states.keep("half", _write(b"x"), 10, 20, LIMIT, paper="q", model="qwen")
    states.keep("other", _write(b"x"), 20, 20, LIMIT, paper="r", model="another")
    states.keep("instructions", _write(b"x"), 20, 20, LIMIT)
    for number, damage in enumerate(
        (b"", b"[]", b'{"sha256": 1}', b'{"sha256":"","bytes":1,"tokens":"","total":1}')
    ):
        (states.folder() / f"{number}.json").write_bytes(damage)
    assert states.papers("qwen") == {"p"}
