"""The server: a port, and a loop that Ctrl-C ends."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType

import uvicorn

from mozi_engine.errors import SettingsError
from mozi_engine.serving.app import Service, application

_GRACE = 60  # seconds for the step under way: a batch of a prompt, a server's next word, an upload


def bound(host: str, port: int, key: str) -> socket.socket:
    """A socket at that address, which does not listen yet; a port of 0 takes one that is free.

    Raises SettingsError where the address cannot be had, or other machines reach it and there is no key.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not (key or ip_address(address[0]).is_loopback):
            hint = "--key KEY, or MOZI_SERVE_KEY; without --host, this machine alone is served"
            raise SettingsError(f"other machines reach {host}: that needs a key", hint)
        found = socket.socket(family, kind, protocol)
        if sys.platform != "win32":  # there, it would share a port that is taken
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"cannot listen on {host}, port {port}: {reason}", "--port 8012") from error
    return found


def address(at: socket.socket) -> str:
    """The URL of a bound socket: http://127.0.0.1:8011."""
    host, port = at.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    service: Service,
    at: socket.socket,
    key: str,
    host: str,
    *,
    ready: Callable[[], object],
    leaving: Callable[[], object],
) -> None:
    """Serve until Ctrl-C or SIGTERM, which stop what is under way.

    `ready` is called once it listens, `leaving` before what was read is kept; a second Ctrl-C does not wait
    for that. Raises KeyboardInterrupt when Ctrl-C has ended it.
    """
    app = application(service, key, host)
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )

    def stop() -> None:
        service.stopping.set()
        leaving()
        # Now, not when all have left: the model would begin another batch of the paper in between.
        asyncio.get_running_loop().run_in_executor(None, service.voices.close)

    _Server(config, ready, stop).run(sockets=[at])


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], object], stop: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._ready, self._stop = ready, stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(130)  # an interpreter that is taken down around a working engine may crash
        # Else uvicorn waits for answers to end by themselves. Signals come while the loop runs.
        asyncio.get_running_loop().call_soon_threadsafe(self._stop)
        super().handle_exit(sig, frame)
