"""`mozi prepare`, as a person runs it; killed in the middle, too."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from itertools import product
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from tests.command import MOZI, mozi, refusal
from tests.unit.fileserver import FileServer
from tests.unit.raw_papers import many

_WORDS = ["".join(letters) for letters in product("abcdefgh", repeat=3)]


def _raw(tmp_path: Path, papers: int = 3) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "qasper-train-v0.3.json").write_text(json.dumps(many(papers)))
    return raw


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_what_was_made_is_told(tmp_path: Path) -> None:
    ran = mozi("prepare", "qasper", _raw(tmp_path), tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert "examples for fine-tuning" in ran.stdout
    assert "licence: CC BY 4.0" in ran.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["kind"] == "qasper"
    assert manifest["sources"][0]["name"] == "qasper-train-v0.3.json"


def test_a_killed_run_leaves_no_half_file_and_the_next_gives_the_same_bytes(tmp_path: Path) -> None:
    raw, out = _raw(tmp_path, 800), tmp_path / "out"
    running = subprocess.Popen(
        [MOZI, "prepare", "qasper", raw, out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not list(out.rglob(".sft.jsonl.*")) and time.monotonic() < until:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert all(Path(name).name.startswith(".") for name in _files(out))
    assert mozi("prepare", "qasper", raw, out).returncode == 0
    assert mozi("prepare", "qasper", raw, tmp_path / "unbroken").returncode == 0
    assert _files(out) == _files(tmp_path / "unbroken")


def test_without_a_network_the_file_and_its_place_are_named(tmp_path: Path) -> None:
    message, hint = refusal(mozi("prepare", "qasper", tmp_path / "none", tmp_path / "out"))
    assert "nothing at" in message
    assert "qasper-train-dev-v0.3.tgz" in hint
    assert "https://qasper-dataset.s3" in hint


def _corpus(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with one document, and a tokenizer."""
    known = ["[UNK]", "<|endoftext|>", *_WORDS]
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(known)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jsonl").write_text(json.dumps({"text": "word " * 100}) + "\n")
    return tmp_path / "raw", tmp_path / "tokenizer.json"


def test_a_corpus_that_is_not_decontaminated_is_told(tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    raw, tokenizer = _corpus(tmp_path)
    (tmp_path / "qasper.json").write_text(json.dumps(many(1)))
    told = ("prepare", "arxiv", raw, tmp_path / "out", "--tokenizer", tokenizer)
    ran = mozi(*told, "--held-out", 0)
    assert ran.returncode == 0, ran.stderr
    assert "nothing is decontaminated; --against" in ran.stderr
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["options"]["against"] == []
    ran = mozi(*told, "--dry-run", "--against", tmp_path / "qasper.json")
    assert ran.returncode == 0, ran.stderr
    assert "decontaminated" not in ran.stderr


def test_ray_writes_the_same_bytes_as_processes_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    pytest.importorskip("ray")
    raw, tokenizer = _corpus(tmp_path)
    for name in "bc":
        texts = [" ".join(Random(f"{name}{number}").choices(_WORDS, k=120)) for number in range(6)]  # noqa: S311
        (raw / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    for executor in ("local", "ray"):
        told = ("--tokenizer", tokenizer, "--held-out", 0.3, "--executor", executor, "--workers", 2)
        ran = mozi("prepare", "arxiv", raw, tmp_path / executor, *told, timeout=500)
        assert ran.returncode == 0, ran.stderr
    made = _files(tmp_path / "local")
    assert {Path(name).parts[0] for name in made} == {"train", "held_out", "manifest.json"}
    assert json.loads(made["manifest.json"])["counts"]["all"] == {"documents read": 13}
    assert _files(tmp_path / "ray") == made


def test_redpajamas_files_are_fetched_and_their_licence_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datatrove")
    raw, tokenizer = _corpus(tmp_path)
    listed = "/datasets/togethercomputer/RedPajama-Data-1T/resolve/main/urls/arxiv.txt"
    with FileServer(files={"/arxiv_0.jsonl": (raw / "a.jsonl").read_bytes()}) as server:
        server.files[listed] = f"{server.url}/arxiv_0.jsonl\n".encode()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        told = ("--tokenizer", tokenizer, "--download", "--files", 1, "--dry-run")
        ran = mozi("prepare", "arxiv", tmp_path / "fetched", tmp_path / "out", *told)
    assert ran.returncode == 0, ran.stderr
    assert "keeps each paper's own licence" in ran.stderr
    assert (tmp_path / "fetched" / "arxiv_0.jsonl").exists()


def test_dolly_is_fetched_from_the_hub_and_its_licence_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"instruction": "Name a fruit.", "context": "", "response": "An apple.", "category": "open_qa"}
    place = "/datasets/databricks/databricks-dolly-15k/resolve/main/databricks-dolly-15k.jsonl"
    with FileServer(files={place: json.dumps(record).encode() + b"\n"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        ran = mozi("prepare", "dolly", tmp_path / "raw", tmp_path / "out", "--download")
        assert ran.returncode == 0, ran.stderr
        assert "CC BY-SA 3.0" in ran.stderr
        asked = len(server.requests)
        assert mozi("prepare", "dolly", tmp_path / "raw", tmp_path / "out", "--download").returncode == 0
        assert len(server.requests) == asked
        server.files.clear()
        failed = mozi("prepare", "dolly", tmp_path / "other", tmp_path / "out2", "--download")
    assert "databricks-dolly-15k.jsonl cannot be fetched" in failed.stderr
    assert f"put databricks-dolly-15k.jsonl into {tmp_path / 'other'}" in failed.stderr
