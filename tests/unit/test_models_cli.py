"""`mozi models`, as a person or a script runs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mozi_cli import models, progress
from mozi_engine import download
from mozi_engine.errors import ModelError
from mozi_engine.models import catalog
from mozi_engine.types import Progress
from tests.unit.fileserver import FileServer

MODEL = b"GGUF" + bytes(range(256)) * 900
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.gguf").write_bytes(MODEL)
    return tmp_path / "own.gguf"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "BACKOFF", (0.0,))
    with FileServer({"/a/b/resolve/main/tiny.gguf": MODEL}) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def run(*arguments: str, answer: str = "") -> tuple[int, str, str]:
    """Exit code, stdout, stderr; what is raised for the person comes through."""
    result = CliRunner().invoke(models.app, list(arguments), input=answer)
    if isinstance(result.exception, ModelError):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_list_names_every_model_and_says_which_is_verified() -> None:
    code, out, _ = run("list")
    assert code == 0
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert rows["qwen2.5-coder-1.5b"].split()[-2:] == ["yes", "no"]
    assert all(rows[name].split()[-2:] == ["no", "no"] for name in ("qwen3-4b", "gemma-3-4b", "llama-3.2-3b"))
    assert "needs mozi[train]" in out


def test_the_list_for_programs_is_one_json_array() -> None:
    _, out, _ = run("list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["qwen2.5-coder-1.5b"]["bytes"] == 1_117_320_768
    assert rows["qwen2.5-coder-1.5b"]["on_disk"] is None


def test_a_file_is_added_listed_printed_and_forgotten(own: Path) -> None:
    code, out, said = run("add", "mine", "--file", str(own), "--licence", "MIT", "--context", "512")
    assert (code, out) == (0, "")
    assert "it is ready" in said
    assert run("path", "mine")[1] == f"{own}\n"
    assert "MIT" in run("list")[1]
    assert "removed" in run("remove", "mine", "--yes")[2]
    assert own.exists()
    with pytest.raises(ModelError, match="no model named"):
        run("path", "mine")


def test_a_model_of_the_hub_is_added_pulled_and_removed(server: FileServer) -> None:
    _, _, said = run("add", "tiny", "--hub", "a/b/tiny.gguf", "--sha256", SHA256.upper())
    assert "mozi models pull tiny" in said
    with pytest.raises(ModelError, match="not on this disk") as caught:
        run("path", "tiny")
    assert caught.value.hint == "mozi models pull tiny"
    code, out, said = run("pull", "tiny")
    assert (code, out) == (0, "")
    assert "230.4 kB of 230.4 kB" in said
    file = Path(run("path", "tiny")[1].strip())
    assert file.read_bytes() == MODEL
    assert run("remove", "tiny", answer="n\n")[0] == 1
    assert file.exists()
    assert run("remove", "tiny", answer="y\n")[0] == 0
    assert not file.exists()


def test_add_wants_one_source(own: Path) -> None:
    assert run("add", "mine")[0] == 2
    assert run("add", "mine", "--file", str(own), "--hub", "a/b/c.gguf")[0] == 2


@pytest.mark.parametrize("name", ["Mine", "../x", "", "a b"])
def test_a_name_that_cannot_be_a_folder_is_refused(own: Path, name: str) -> None:
    with pytest.raises(ModelError, match="is not a name for a model"):
        run("add", name, "--file", str(own))
    assert not catalog.user_file().exists()


@pytest.mark.parametrize("verb", ["list", "pull", "path", "remove", "add"])
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert "Example" in out
    assert "mozi models" in out or "mozi models path" in out


def events() -> Iterator[Progress]:
    yield Progress("x", 500, 1000, "bytes")
    yield Progress("x", 1000, 1000, "bytes")
    yield Progress("checking x", 1000, 1000, "bytes")


def test_progress_in_a_pipe_is_whole_lines_without_control_codes() -> None:
    console = Console(file=(out := StringIO()))
    progress.show(events(), console)
    lines = out.getvalue().splitlines()
    assert lines[0] == "x: 500 bytes of 1.0 kB"
    assert lines[1].startswith("x: 1.0 kB of 1.0 kB")
    assert lines[-1] == "checking x: 1.0 kB of 1.0 kB"
    assert "\x1b" not in out.getvalue()


def test_the_end_is_told_once() -> None:
    console = Console(file=(out := StringIO()))
    progress.show((Progress("x", done, 8, "pages") for done in (1, 8, 8, 8)), console)
    assert out.getvalue().splitlines() == ["x: 1 of 8 pages", "x: 8 of 8 pages"]


def test_progress_on_a_terminal_has_a_bar_with_the_size() -> None:
    console = Console(file=(out := StringIO()), force_terminal=True, width=100)
    progress.show(events(), console)
    assert "1.0/1.0 kB" in out.getvalue()
    assert "━" in out.getvalue()


def test_stopping_says_that_it_can_be_taken_up_and_closes_the_work() -> None:
    closed = []

    def work() -> Iterator[Progress]:
        try:
            yield Progress("x", 1, 2, "bytes")
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    console = Console(file=(out := StringIO()))
    with pytest.raises(KeyboardInterrupt):
        progress.show(work(), console, resumes=True)
    assert "goes on from here" in out.getvalue()
    assert closed
