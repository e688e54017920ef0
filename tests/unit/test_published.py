from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mozi_engine.datasets import published
from mozi_engine.datasets.published import Published
from mozi_engine.errors import DataError
from tests.unit.fileserver import FileServer


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def test_a_file_that_was_cut_goes_on_and_what_is_there_is_not_asked_for(
    tmp_path: Path, server: FileServer
) -> None:
    server.files["/a.tgz"], server.cuts = b"x" * 100_000, [40_000]
    wanted = [Published("a.tgz", f"{server.url}/a.tgz")]
    for _ in range(2):
        list(published.fetch(wanted, tmp_path / "raw"))
    assert (tmp_path / "raw" / "a.tgz").read_bytes() == b"x" * 100_000
    assert server.ranges_asked() == ["", "bytes=40000-"]
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["a.tgz"]


def test_what_cannot_be_had_is_named_with_its_place(tmp_path: Path, server: FileServer) -> None:
    with pytest.raises(DataError, match=r"b\.tgz cannot be fetched: .* \(404\)") as caught:
        list(published.fetch([Published("b.tgz", f"{server.url}/b.tgz")], tmp_path))
    assert caught.value.hint == (
        f"without a network, put b.tgz into {tmp_path}; it is published at {server.url}/b.tgz"
    )


def test_redpajamas_list_gives_the_first_files(
    tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = "".join(f"{server.url}/arxiv/arxiv_{number}.jsonl\n" for number in range(5))
    server.files["/datasets/togethercomputer/RedPajama-Data-1T/resolve/main/urls/arxiv.txt"] = listed.encode()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    found = [item for item in published.redpajama(2, tmp_path) if isinstance(item, Published)]
    assert [file.name for file in found] == ["arxiv_0.jsonl", "arxiv_1.jsonl"]


@pytest.mark.parametrize(
    "listed",
    [b"", b"\xff\xfe", b"<html>", b"https://a.org/", b"https://a.org/..", b"https://a.org/x\0.jsonl"],
)
def test_a_list_of_something_else_is_refused(tmp_path: Path, listed: bytes) -> None:
    (tmp_path / "urls.txt").write_bytes(listed)
    with pytest.raises(DataError, match="does not list RedPajama's files"):
        list(published.redpajama(1, tmp_path))


def test_what_is_published_says_its_licence() -> None:
    for kind in ("qasper", "dolly", "arxiv"):
        known = published.publication(kind)
        assert known is not None
        assert known.licence
        assert all(file.url.startswith("https://") and file.url.endswith(file.name) for file in known.files)
    assert published.publication("scimrc") is None
