"""Work off the event loop: threads whose failures are told, whatever they are."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mozi_engine import files
from mozi_engine.errors import DataError, MoziError

Failed = Callable[[MoziError], object]


def start(work: Callable[[], object], failed: Failed) -> None:
    """Run `work` in a thread. `failed` is given what it raises, a bug as a MoziError that names its report.

    The thread does not keep mozi from leaving.
    """

    def run() -> None:
        try:
            work()
        except MoziError as error:
            failed(error)
        except Exception as error:  # noqa: BLE001  the thread's edge: it reports, and the screen goes on
            failed(bug(error))

    threading.Thread(target=run, daemon=True).start()


def bug(error: BaseException) -> MoziError:
    """A failure of mozi's own, with its traceback written down for a report."""
    report = _written(error)
    hint = f"please report it, with {report}" if report else "please report it"
    return MoziError(f"a bug in mozi: {type(error).__name__}: {error}", hint)


def _written(error: BaseException) -> Path | None:
    report = files.cache_dir() / "crash.txt"
    with suppress(DataError):
        with files.atomic(report) as file:
            file.write("".join(traceback.format_exception(error)).encode("utf-8", "replace"))
        return report
    return None
