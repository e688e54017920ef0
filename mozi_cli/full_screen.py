"""`mozi chat` on a terminal: the full screen, and leaving it."""

from __future__ import annotations

import gc
import os
import sys
import threading

import typer

from mozi_cli.tui import graphics
from mozi_cli.tui.start import Start


def run(start: Start) -> None:
    """Show it until the person leaves; what the model has read is kept."""
    gc.disable()  # until the first paint: what is imported and mounted for it is no garbage
    asked = graphics.asked()
    from mozi_cli.tui.app import ChatApp  # meanwhile

    app = ChatApp(start, graphics=asked.result())
    app.run()
    if app.desk:
        if app.desk.reading:
            typer.echo("keeping what the model has read…", err=True)
        try:
            app.desk.close()
        except KeyboardInterrupt:
            _leave(130)
    if app.store:
        app.store.close()
    _leave(app.return_code or 0)


def _leave(code: int) -> None:
    """At once: threads may still be fetching or reading, and none of that is to be waited for."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.main_thread():
            os._exit(code)
    sys.exit(code)
