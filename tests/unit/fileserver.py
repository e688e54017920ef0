"""A small web server with the habits, good and bad, of those that give out large files."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType


@dataclass
class FileServer:
    """Gives out `files` by path. `cuts` are the bytes after which each answer in turn breaks off."""

    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    etag: str = ""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> FileServer:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self, body=True)

            def do_HEAD(self) -> None:
                server._answer(self, body=False)

            def finish(self) -> None:
                with suppress(ConnectionError):  # the client has gone, as it may
                    super().finish()

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def ranges_asked(self) -> list[str]:
        return [headers.get("Range", "") for method, _, headers in self.requests if method == "GET"]

    def _answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        self.requests.append((request.command, request.path, dict(request.headers)))
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return self._head(request, status, {"Content-Length": "0"})
        if target := self.redirects.get(request.path):
            return self._head(request, 302, {"Location": target, "Content-Length": "0"} | self.headers)
        data = self.files.get(request.path)
        if data is None:
            return self._head(request, 404, {"Content-Length": "0"})
        start = self._start(request)
        headers = {"Content-Length": str(len(data) - start), **self.headers}
        headers["Content-Type"] = self.types.get(request.path, "application/octet-stream")
        if self.etag:
            headers["ETag"] = self.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(request, 206 if start else 200, headers)
        if body:
            cut = self.cuts.pop(0) if self.cuts else len(data)
            with suppress(ConnectionError):  # the client has gone, as it may
                request.wfile.write(data[start : start + cut])
            request.close_connection = True
        return None

    def _start(self, request: BaseHTTPRequestHandler) -> int:
        asked = request.headers.get("Range", "")
        if not self.ranges or not asked or request.headers.get("If-Range", self.etag) != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _head(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for key, value in headers.items():
            request.send_header(key, value)
        request.end_headers()


def index_page(server: FileServer, package: str, version: str, wheel: bytes, digest: str = "") -> None:
    """Publish a wheel on the server as a package index does (PEP 691)."""
    name = f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
    digest = digest or hashlib.sha256(wheel).hexdigest()
    entry = {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": digest}, "size": len(wheel)}
    page = f"/simple/{package}/"
    server.files[f"/files/{name}"] = wheel
    server.files[page] = json.dumps({"meta": {"api-version": "1.1"}, "files": [entry]}).encode()
    server.types[page] = "application/vnd.pypi.simple.v1+json"
