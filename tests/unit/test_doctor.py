"""`mozi doctor` finds what is broken, says what to do, and looks no further than it was asked to."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import typer
from typer.testing import CliRunner

from mozi_cli.doctor import doctor as command
from mozi_engine import doctor, files
from mozi_engine.doctor import Check
from mozi_engine.models import catalog

MODEL = b"GGUF" + bytes(9000)


@pytest.fixture(autouse=True)
def _libraries_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOADED", ("json",))


def examine(**asked: bool) -> dict[str, Check]:
    return {check.name: check for check in doctor.examine(**asked)}


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def test_a_fresh_machine_has_no_problem_and_is_told_to_fetch_the_model() -> None:
    found = examine()
    assert not [check for check in found.values() if check.state == "problem"]
    assert found["model"].state == "note"
    assert found["model"].remedy == "mozi models pull qwen2.5-coder-1.5b"
    assert "xllamacpp" in found["packages"].detail
    assert run()[0] == 0


def test_looking_makes_no_folders_and_asks_no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    examine()
    assert not home.exists()


def test_whatever_is_not_in_order_comes_with_a_remedy() -> None:
    assert all(check.remedy for check in examine().values() if check.state != "ok")


@pytest.mark.parametrize(
    ("break_it", "name", "says"),
    [
        (lambda: os.environ.update(MOZI_MODEL="qwen3"), "model", "no model named 'qwen3'"),
        (lambda: os.environ.update(MOZI_MODEL="mozi-llama-7b"), "model", "does not run in llama.cpp"),
        (lambda: os.environ.update(MOZI_ENGINE="remote"), "engine", "no base_url"),
        (lambda: _write("settings.toml", "modle = 1"), "settings", "unknown key 'modle'"),
        (lambda: _write("catalog.toml", "["), "settings", "catalog.toml"),
    ],
)
def test_what_keeps_chat_from_working_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[], None], name: str, says: str
) -> None:
    for variable in ("MOZI_MODEL", "MOZI_ENGINE"):
        monkeypatch.setenv(variable, "")  # put back afterwards
    break_it()
    found = examine()[name]
    assert (found.state, says in found.detail, bool(found.remedy)) == ("problem", True, True)
    assert run()[0] == 1


def _write(name: str, text: str) -> None:
    files.config_dir().mkdir(parents=True)
    (files.config_dir() / name).write_text(text)


def test_a_library_that_does_not_load_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOADED", ("json", "no_such_library"))
    found = examine()["libraries"]
    assert found.state == "problem"
    assert "no_such_library (ModuleNotFoundError" in found.detail
    assert "json (" not in found.detail


def test_a_disk_without_room_for_the_model_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage)
    assert examine()["disk"].state == "problem"
    assert "takes 1.1 GB" in examine()["disk"].detail


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.gguf"
    file.write_bytes(MODEL)
    catalog.add("mine", f"file:{file}")
    return file


def test_models_on_the_disk_are_listed_and_hashed_again_only_when_asked(own: Path) -> None:
    assert "as it was checked" in examine()["model mine"].detail
    assert "checked just now" in examine(verify=True)["model mine"].detail
    stat = own.stat()
    own.write_bytes(b"GGUF" + bytes(8999) + b"!")
    os.utime(own, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert examine()["model mine"].state == "ok"
    assert examine(verify=True)["model mine"].state == "problem"
    own.write_bytes(b"GGUF")
    assert examine()["model mine"].state == "note"


def test_caches_are_weighed() -> None:
    (folder := files.cache_dir() / "papers").mkdir(parents=True)
    (folder / "a").write_bytes(bytes(2500))
    assert "papers 2.5 kB, embeddings 0 bytes" in examine()["caches"].detail


def test_what_the_states_take_is_told_with_what_they_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := files.cache_dir() / "states").mkdir(parents=True)
    (folder / "a.state").write_bytes(bytes(2500))
    assert "states 2.5 kB of 4 GB in " in examine()["caches"].detail
    monkeypatch.setenv("MOZI_STATES_GIGABYTES", "0.5")
    assert "states 2.5 kB of 0.5 GB in " in examine()["caches"].detail


def test_the_network_is_looked_at_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setenv("HF_ENDPOINT", nowhere)
        monkeypatch.setenv("PIP_INDEX_URL", f"{nowhere}/simple")
        found = examine(network=True)
    assert (found["hub"].state, found["package index"].state) == ("note", "note")
    assert "cannot be reached" in found["hub"].detail


def test_programs_get_one_json_array() -> None:
    rows = json.loads(run("--json")[1])
    assert {"name", "state", "detail", "remedy"} == set(rows[0])
    assert rows[0]["name"] == "mozi"


@pytest.mark.parametrize(
    ("overhead", "fit"),
    [(0, "fits"), (psutil.virtual_memory().total - 10, "fits alone"), (10**15, "too large")],
)
def test_a_model_fits_into_the_memory_that_is_free_or_all_of_it_or_not(
    overhead: int, fit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "OVERHEAD", overhead)
    assert doctor.fit(catalog.ModelSpec("small", bytes=5)) == fit


def test_a_key_that_there_is_not_is_a_problem(home: Path) -> None:
    settings = files.config_dir() / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[keys]\nopen = "ctrl+nonsense"\n', "utf-8")
    code, said = run()
    assert code == 1
    assert "line 2" in said
    assert "ctrl+nonsense" in said or "nonsense" in said
