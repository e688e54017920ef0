"""A download can be cut, stalled, refused and killed; what arrives is the file, or one clear line."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mozi_engine import download
from mozi_engine.errors import DataError, ModelError, SettingsError
from mozi_engine.types import Progress
from tests.unit.fileserver import FileServer

DATA = bytes(range(256)) * 4000  # 1,024,000 bytes


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"/model": DATA}, etag='"one"') as running:
        yield running


def _fetch(server: FileServer, part: Path, size: int = len(DATA)) -> list[Progress]:
    with download.client() as http:
        return list(download.fetch(http, f"{server.url}/model", part, "a model", size))


def test_the_file_arrives_whole_and_progress_ends_at_its_size(server: FileServer, tmp_path: Path) -> None:
    events = _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert events[-1] == Progress("a model", len(DATA), len(DATA), "bytes")
    assert [event.done for event in events] == sorted(event.done for event in events)


@pytest.mark.parametrize("size", [len(DATA), 0])
def test_a_cut_connection_is_taken_up_where_it_broke(server: FileServer, tmp_path: Path, size: int) -> None:
    server.cuts = [300_000, 1, 200_000]
    _fetch(server, tmp_path / "part", size)
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.ranges_asked() == ["", "bytes=300000-", "bytes=300001-", "bytes=500001-"]


def test_closing_the_iterator_keeps_a_beginning_that_the_next_one_goes_on_from(
    server: FileServer, tmp_path: Path
) -> None:
    with download.client() as http:
        events = download.fetch(http, f"{server.url}/model", tmp_path / "part", "a model", len(DATA))
        came = next(events).done
        events.close()
    assert (tmp_path / "part").read_bytes() == DATA[:came]
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.ranges_asked() == ["", f"bytes={came}-"]


def test_a_finished_file_asks_the_server_nothing(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)
    assert _fetch(server, tmp_path / "part") == []
    assert server.requests == []


def test_a_server_without_ranges_starts_again(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [300_000]
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_file_that_changed_on_the_server_is_fetched_from_the_beginning(
    server: FileServer, tmp_path: Path
) -> None:
    server.files["/model"] = DATA[::-1]
    with download.client() as http:
        events = download.fetch(http, f"{server.url}/model", tmp_path / "part", "", len(DATA))
        next(events)
        events.close()
    server.files["/model"], server.etag = DATA, '"two"'
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.requests[-1][2]["If-Range"] == '"one"'


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA + b"more")
    server.statuses = [416]
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_busy_server_is_asked_again_and_a_dead_one_given_up(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429, 500]
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    server.statuses = [503] * 10
    with pytest.raises(download.Unavailable, match="answers 503"):
        _fetch(server, tmp_path / "other")
    assert len(server.statuses) == 5


@pytest.mark.parametrize(("status", "says"), [(404, "has no /model"), (403, "refuses access"), (418, "418")])
def test_a_refusal_is_final(server: FileServer, tmp_path: Path, status: int, says: str) -> None:
    server.statuses = [status]
    with pytest.raises(download.Unavailable, match=says):
        _fetch(server, tmp_path / "part")
    assert len(server.requests) == 1


def test_another_size_than_declared_is_refused_before_a_byte_is_kept(
    server: FileServer, tmp_path: Path
) -> None:
    with pytest.raises(download.Unavailable, match=r"1,024,000 bytes .* not 5"):
        _fetch(server, tmp_path / "part", size=5)
    assert not (tmp_path / "part").exists()


def test_a_host_that_cannot_be_reached_is_given_up_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/model"
        with download.client() as http, pytest.raises(download.Unavailable) as caught:
            list(download.fetch(http, url, tmp_path / "part", "", 0))
    assert "127.0.0.1 cannot be reached" in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.hint


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(SettingsError, match="proxy") as caught:
        download.client()
    assert caught.value.hint


def test_a_token_that_cannot_be_sent_is_not_blamed_on_the_proxy() -> None:
    with pytest.raises(SettingsError, match="not ASCII"):
        download.client("ключ")


@pytest.mark.parametrize("url", ["http://a:b/model", "http://u:secret@a:b/model"])
def test_an_address_that_is_none_is_named(tmp_path: Path, url: str) -> None:
    with download.client() as http, pytest.raises(download.Unavailable, match="a:b/model cannot") as caught:
        list(download.fetch(http, url, tmp_path / "part", "", 0))
    assert "secret" not in caught.value.message


def test_a_server_that_redirects_for_ever_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.redirects["/model"] = "/model"
    with pytest.raises(download.Unavailable, match="redirects"):
        _fetch(server, tmp_path / "part")


def test_a_proxy_of_the_environment_is_used(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    server.files["http://models.example/model"] = DATA
    with download.client() as http:
        list(download.fetch(http, "http://models.example/model", tmp_path / "part", "", len(DATA)))
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_server_that_stalls_is_given_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", httpx.Timeout(0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent, download.client() as http:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/model"
        with pytest.raises(download.Unavailable, match="too slow"):
            list(download.fetch(http, url, tmp_path / "part", "", 0))


def test_a_disk_without_room_is_found_before_the_first_byte(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(DataError, match=r"is full: 68.1 MB needed, 0 bytes free"):
        _fetch(server, tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_a_disk_that_fills_up_on_the_way_keeps_what_came(server: FileServer, tmp_path: Path) -> None:
    """A real limit on file size in a child process: the write itself fails."""
    script = f"""
        import resource, signal
        from pathlib import Path
        from mozi_engine import download
        from mozi_engine.errors import MoziError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        try:
            with download.client() as http:
                list(download.fetch(http, "{server.url}/model", Path("{tmp_path}/part"), "", {len(DATA)}))
        except MoziError as error:
            print(error.message)
    """
    child = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert "cannot write" in child.stdout, child.stderr
    kept = (tmp_path / "part").read_bytes()
    assert 0 < len(kept) <= 400_000
    assert DATA.startswith(kept)
    _fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_no_space_left_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no space left"), download.appending(tmp_path / "part", 0):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_only_one_process_works_on_a_model_and_a_killed_one_does_not_block(tmp_path: Path) -> None:
    script = f"""
        import time
        from pathlib import Path
        from mozi_engine import download
        with download.alone(Path("{tmp_path}/lock"), "m"):
            print("held", flush=True)
            time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline() == "held\n"
    with (
        pytest.raises(ModelError, match=rf"process {other.pid}\) is at work on m"),
        download.alone(tmp_path / "lock", "m"),
    ):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with download.alone(tmp_path / "lock", "m"):
        pass


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(server: FileServer, tmp_path: Path) -> None:
    with FileServer() as front:
        front.redirects["/gated"] = f"{server.url.replace('127.0.0.1', 'localhost')}/model"
        with download.client("hf_secret") as http:
            list(download.fetch(http, f"{front.url}/gated", tmp_path / "part", "", len(DATA)))
    assert front.requests[0][2]["Authorization"] == "Bearer hf_secret"
    assert all("Authorization" not in headers for _, _, headers in server.requests)
    assert (tmp_path / "part").read_bytes() == DATA
