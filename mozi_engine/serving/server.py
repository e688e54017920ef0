"""The server: a port, and a loop that Ctrl-C ends."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType

import uvicorn

from mozi_engine.errors import SettingsError
from mozi_engine.serving.app import Service, application

_GRACE = 10  # seconds: a batch of the prompt under way is read to its end


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
    service: Service, at: socket.socket, key: str, host: str, ready: Callable[[], object] = lambda: None
) -> None:
    """Serve until Ctrl-C or SIGTERM, which stop what is under way; `ready` is called once it listens."""
    app = application(service, key, host)
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    _Server(config, service.stopping, ready).run(sockets=[at])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._stopping, self._ready = stopping, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Else uvicorn waits for answers to end by themselves. Signals come while the loop runs.
        asyncio.get_running_loop().call_soon_threadsafe(self._stopping.set)
        super().handle_exit(sig, frame)
