"""Where a paper comes from: real HTTP, from a server in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mozi_engine.errors import PaperError, SettingsError
from mozi_engine.paper.source import address, locate
from mozi_engine.types import Progress

PDF = b"%PDF-1.5\n" + b"x" * 300_000


class Site(BaseHTTPRequestHandler):
    """A site of papers, good and bad; it counts what it is asked."""

    asked: list[str] = []  # noqa: RUF012  (the handler's class is the only place that outlives a request)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/paper.pdf")
            self.end_headers()
        elif self.path == "/paper.pdf" or self.path.startswith("/pdf/"):
            self._send(PDF)
        elif self.path == "/streamed":
            self._send(PDF, length=False)
        elif self.path == "/page":
            self._send(b"<html>" + b" " * 5000)
        elif self.path == "/short":
            self._send(b"<html>")
        elif self.path == "/slow":
            self._send(PDF, pause=1.5)
        elif self.path == "/cut":
            self._send(PDF[:1000], claimed=len(PDF))
        else:
            self.send_error(403 if self.path == "/forbidden" else 404)

    def _send(self, body: bytes, length: bool = True, pause: float = 0, claimed: int = 0) -> None:
        self.send_response(200)
        if length:
            self.send_header("Content-Length", str(claimed or len(body)))
        self.end_headers()
        self.wfile.write(body[:100])
        self.wfile.flush()
        time.sleep(pause)
        self.wfile.write(body[100:])

    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            return


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(reference: str, **options: object) -> Path:
    *steps, path = locate(reference, **options)  # type: ignore[arg-type]
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(path, Path)
    return path


def fails(reference: str, home: Path, **options: object) -> str:
    with pytest.raises(PaperError) as caught:
        fetch(reference, **options)
    assert caught.value.hint
    assert not [path for path in home.rglob("*") if path.is_file()], "nothing half-written is left"
    return caught.value.message


def test_a_path_is_itself_and_a_tilde_is_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert fetch("papers/a b.pdf") == Path("papers/a b.pdf")
    assert fetch("~/a.pdf") == Path("/home/someone/a.pdf")


@pytest.mark.parametrize("path", ["/paper.pdf", "/moved", "/streamed"])
def test_a_url_is_fetched_once(site: str, path: str) -> None:
    first = fetch(site + path)
    asked = len(Site.asked)
    assert first.read_bytes() == PDF
    assert fetch(site + path) == first
    assert len(Site.asked) == asked


def test_progress_counts_bytes_up_to_the_length(site: str) -> None:
    steps = [step for step in locate(site + "/paper.pdf") if isinstance(step, Progress)]
    assert steps[-1].done == steps[-1].total == len(PDF)
    assert {step.unit for step in steps} == {"bytes"}


@pytest.mark.parametrize("name", ["1805.02262", "1805.02262v2", "1312.6114", "cs/0112017"])
def test_arxiv_by_id(site: str, name: str) -> None:
    assert fetch(f"arxiv:{name}", arxiv=f"{site}/pdf/").read_bytes() == PDF
    assert Site.asked == [f"/pdf/{name}"]


@pytest.mark.parametrize(
    "reference",
    ["arxiv:", "arxiv:hello", "arxiv:1805.0226", "arxiv:../etc", "ftp://a.org/b.pdf", "file:///a"],
)
def test_references_that_cannot_be_are_refused_without_a_network(reference: str, home: Path) -> None:
    assert fails(reference, home)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/none", "404"),
        ("/forbidden", "403"),
        ("/page", "is not a PDF"),
        ("/short", "is not a PDF"),
        ("/cut", "cannot fetch"),
    ],
)
def test_what_is_not_there_or_no_pdf(site: str, home: Path, path: str, says: str) -> None:
    assert says in fails(site + path, home)


@pytest.mark.parametrize("path", ["/paper.pdf", "/streamed"])
def test_the_size_limit_is_named_with_and_without_a_declared_length(site: str, home: Path, path: str) -> None:
    assert "larger than 0 MB" in fails(site + path, home, max_megabytes=0)


def test_a_server_that_stalls_is_given_up(site: str, home: Path) -> None:
    assert "stopped answering for 0.5 s" in fails(site + "/slow", home, stall_seconds=0.5)


def test_a_proxy_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(SettingsError, match="proxy"):
        list(locate("http://127.0.0.1:9/paper.pdf"))


def test_no_network(home: Path) -> None:
    assert "cannot fetch" in fails("http://127.0.0.1:9/paper.pdf", home)


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("arxiv:1805.02262", "https://arxiv.org/pdf/1805.02262"),
        ("1805.02262v2", "https://arxiv.org/pdf/1805.02262v2"),
        ("https://arxiv.org/abs/1805.02262", "https://arxiv.org/pdf/1805.02262"),
        ("http://export.arxiv.org/abs/cs/0112017v1/", "https://arxiv.org/pdf/cs/0112017v1"),
        ("https://arxiv.org/pdf/1805.02262", "https://arxiv.org/pdf/1805.02262"),
        (" https://example.org/abs/1805.02262 ", "https://example.org/abs/1805.02262"),
        ("paper.pdf", None),
        ("1805.022622", None),
        ("cs/0112017.pdf", None),
    ],
)
def test_what_a_reference_means(reference: str, url: str | None) -> None:
    assert address(reference) == url


def test_a_file_that_is_called_like_an_arxiv_id_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1805.02262").write_bytes(PDF)
    assert address("1805.02262") is None
    assert fetch("1805.02262") == Path("1805.02262")
