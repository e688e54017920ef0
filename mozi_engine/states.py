"""What a model remembers of the papers it has read: its states on the disk, whole or not at all.

A state is two files, `KEY.state` (the engine's own bytes) and `KEY.json` (their sha256, written after
them). Without the second, or when they disagree, the first is as good as absent: an engine never sees a
damaged file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from mozi_engine.errors import MoziError
from mozi_engine.files import atomic, cache_dir, sha256

_ABANDONED = 3600  # seconds after which a half-written state has no writer any more


@dataclass(frozen=True, slots=True)
class State:
    """A text as far as a model has read it: `tokens` of `total`.

    `paper` is the id of the paper whose text it is, and `model` the model's name; "" where it is no paper's.
    """

    sha256: str
    bytes: int
    tokens: int
    total: int
    paper: str = ""
    model: str = ""


def folder() -> Path:
    """Where states lie."""
    return cache_dir() / "states"


def key(*parts: str) -> str:
    """A state's name, from all that it depends on: when any of it differs, so does the name."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def find(name: str) -> State | None:
    """The state of that name, if its bytes are those that were written; what is left of it otherwise goes."""
    try:
        state = State(**json.loads(_record(name).read_bytes()))
        whole = file(name).stat().st_size == state.bytes and sha256(file(name)) == state.sha256
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        whole = False
    if not whole:
        remove(name)
        return None
    with suppress(OSError):
        os.utime(file(name))  # used now: the last to go
    return state


def papers(model: str) -> frozenset[str]:
    """The ids of the papers that the model of this name has read to their end, by the records alone."""
    return frozenset(filter(None, (_read_by(model, path) for path in folder().glob("*.json"))))


def keep(
    name: str,
    write: Callable[[str], None],
    tokens: int,
    total: int,
    limit: int,
    *,
    paper: str = "",
    model: str = "",
) -> bool:
    """Have `write(file name)` put a state into the folder, and keep it, if need be in place of older ones.

    `limit` is what all states may take together, in bytes; `paper` and `model` are as in State. False when it
    could not be kept (a full disk, say): a state can always be made again.
    """
    part = f".{name}.{os.getpid()}.part"
    path = folder() / part
    try:
        write(part)
        path.chmod(0o600)
        state = State(sha256(path), path.stat().st_size, tokens, total, paper, model)
        if state.bytes > limit:
            return False
        _record(name).unlink(missing_ok=True)
        path.replace(file(name))
        # Not waited for on the disk: what a machine without power left of either is found to differ.
        with atomic(_record(name), synced=False) as record:
            record.write(json.dumps(asdict(state)).encode())
        evict(limit)
    except (OSError, MoziError):
        return False
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return True


def evict(limit: int) -> None:
    """Remove what interrupted saves left, and the states used longest ago, down to `limit` bytes."""
    with suppress(FileNotFoundError):  # another mozi may be doing the same
        size = 0
        for path in sorted(folder().glob("*.state"), key=lambda path: path.stat().st_mtime, reverse=True):
            size += path.stat().st_size
            if size > limit or not _record(path.stem).exists():
                remove(path.stem)
        for path in folder().glob(".*.part"):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)


def remove(name: str) -> None:
    """Forget a state."""
    for path in (_record(name), file(name)):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def file(name: str) -> Path:
    """Where the engine's bytes of that state lie."""
    return folder() / f"{name}.state"


def _read_by(model: str, record: Path) -> str:
    """The paper that the model has read to its end, by this record; "" for another's, or a damaged one."""
    try:
        state = State(**json.loads(record.read_bytes()))
        return state.paper if state.model == model and state.tokens >= state.total else ""
    except (OSError, ValueError, TypeError):
        return ""


def _record(name: str) -> Path:
    return folder() / f"{name}.json"
