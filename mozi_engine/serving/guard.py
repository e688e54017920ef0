"""Who is let in. Without a key, programs on this machine alone; with one, whoever knows it.

A page on the web can have a browser ask this machine, under a name of its own that leads here (DNS
rebinding), or with a form: `Host` and `Origin` tell, and there is no CORS.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mozi_engine.serving import refusals
from mozi_engine.serving.refusals import Refused


class Guard:
    """Lets requests through to the app, or refuses them."""

    def __init__(self, app: ASGIApp, key: str, host: str) -> None:
        """`key` of "" asks for none; `host` is the name under which the server was told to listen."""
        self._app, self._key, self._host = app, key.encode(), host.casefold()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401, 403 or 421."""
        refused = None
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            refused = self._unknown(headers) if self._key else self._from_elsewhere(headers)
        await (refusals.response(refused) if refused else self._app)(scope, receive, send)

    def _unknown(self, headers: Headers) -> Refused | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Starlette reads headers as Latin-1: this is what was sent, to the byte.
        known = secrets.compare_digest(given.strip().encode("latin-1"), self._key)
        if known and scheme.casefold() == "bearer":
            return None
        hint = "send the header Authorization: Bearer KEY"
        return Refused(401, "the key is missing or wrong", hint, {"WWW-Authenticate": "Bearer"})

    def _from_elsewhere(self, headers: Headers) -> Refused | None:
        host = headers.get("host", "")
        if not (is_loopback(name := _hostname(host)) or name == self._host):
            return Refused(421, f"this is not {host or 'a host without a name'}", "ask for 127.0.0.1")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
            return Refused(403, f"pages of {origin} may not ask", "ask from a program on this machine")
        return None


def is_loopback(host: str) -> bool:
    """Whether a name or an address can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _hostname(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:  # a bracket that is not closed
        return ""
