"""`mozi prepare arxiv`: what is kept, what is not, and that the bytes depend on nothing else."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from mozi_engine.datasets import shards
from mozi_engine.datasets.manifest import Manifest
from mozi_engine.errors import DataError, ModelError
from tests.unit.raw_papers import paper

pytest.importorskip("datatrove")
zstandard = pytest.importorskip("zstandard")

from mozi_engine.datasets import arxiv, corpus, tokenizing  # noqa: E402
from mozi_engine.datasets.executors import Running  # noqa: E402

WORDS = [f"word{letters}" for letters in (a + b for a in "abcdefghijklmnopq" for b in "abcdefghijklmnopqrst")]
END = "<|endoftext|>"


def _tokenizer(path: Path, size: int = 0, end: str = END) -> str:
    vocabulary = {"[UNK]": 0, end: 1} | {word: number for number, word in enumerate(WORDS, start=2)}
    vocabulary |= {f"w{number}": number for number in range(len(vocabulary), size)}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.enable_truncation(5)
    made.save(str(path))
    return str(path)


def _text(seed: int, words: int = 150) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))  # noqa: S311  texts, not keys


def _record(seed: int, **changes: Any) -> dict[str, Any]:
    return {"text": _text(seed), "meta": {"arxiv_id": f"1801.{seed:05d}"}} | changes


def _jsonl(path: Path, records: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()
    packers = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}
    path.write_bytes(packers.get(path.suffix, bytes)(data))
    return path


def _options(tmp_path: Path, **changes: Any) -> arxiv.Options:
    return arxiv.Options(
        **({"tokenizer": _tokenizer(tmp_path / "tokenizer.json"), "held_out": 0.2} | changes)
    )


def _prepare(tmp_path: Path, raw: Path, name: str = "out", workers: int = 1, **changes: Any) -> Manifest:
    options = _options(tmp_path, **changes)
    *_, made = arxiv.prepare(raw, tmp_path / name, options, Running(workers=workers))
    assert isinstance(made, Manifest)
    return made


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_corpus_from_packed_files_without_copies_short_or_evaluated_papers(tmp_path: Path) -> None:
    raw, evaluated = tmp_path / "raw", paper()
    evaluated["full_text"] = [{"section_name": "A", "paragraphs": [_text(900), _text(901)]}]
    (tmp_path / "qasper.json").write_text(json.dumps({"1801.00007": evaluated}))
    near = _record(3)
    near["text"] = near["text"].replace(near["text"].split()[70], "wordnew", 1)
    _jsonl(raw / "a.jsonl", [_record(n) for n in range(10)])
    _jsonl(raw / "b.jsonl.gz", [_record(n) for n in range(10, 20)] + [_record(2, meta={}), near])
    leaked = _text(900, 150) + " " + _text(55, 50)
    _jsonl(raw / "c.jsonl.zst", [_record(20), {"text": "too short"}, {"text": leaked}])
    made = _prepare(tmp_path, raw, against=(str(tmp_path / "qasper.json"),), least=100)
    assert made.counts["all"] == {"documents read": 25}
    assert made.left_out["all"] == {
        "an evaluated paper": 1,
        "much of an evaluated paper": 1,
        "exact copies": 1,
        "near copies": 1,
        "too short": 1,
    }
    assert made.counts["train"]["documents"] + made.counts["held_out"]["documents"] == 20
    assert (made.options["bytes_a_token"], made.options["end_id"]) == (2, 1)
    known = json.loads((tmp_path / "qasper.json").read_bytes())
    assert known
    read = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = []
    for split in ("train", "held_out"):
        for shard in shards.read(tmp_path / "out" / split, 2):
            for number in range(len(shard)):
                document = shard.document(number)
                assert document[-1] == 1
                texts.append(read.decode(document[:-1].tolist()))
    assert len(texts) == len(set(texts)) == 20
    assert _text(0) in texts
    assert not (tmp_path / "out" / ".work").exists()


def test_workers_change_no_byte_and_neither_does_a_kill(tmp_path: Path) -> None:
    for number in range(4):
        _jsonl(
            tmp_path / "raw" / f"{number}.jsonl", [_record(n) for n in range(number * 50, number * 50 + 60)]
        )
    _prepare(tmp_path, tmp_path / "raw", "unbroken", workers=2)
    script = (
        "import sys; from pathlib import Path; from mozi_engine.datasets import arxiv;\n"
        "if __name__ == '__main__':\n"
        "    options = arxiv.Options(tokenizer=sys.argv[3], held_out=0.2)\n"
        "    list(arxiv.prepare(Path(sys.argv[1]), Path(sys.argv[2]), options))"
    )
    out = tmp_path / "killed"
    running = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path / "raw", out, tmp_path / "tokenizer.json"],
        stderr=subprocess.DEVNULL,
    )
    until, reached = time.monotonic() + 120, out / ".work" / "logs" / "near-copies-signatures" / "completions"
    while not (reached.is_dir() and list(reached.iterdir())) and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert {Path(name).parts[0] for name in _files(out)} == {".work"}
    done = {
        path: path.stat().st_mtime_ns for path in (out / ".work" / "logs" / "clean" / "completions").iterdir()
    }
    events = list(arxiv.prepare(tmp_path / "raw", out, _options(tmp_path)))
    assert isinstance(events[-1], Manifest)
    assert len(done) == 4
    assert _files(out) == _files(tmp_path / "unbroken")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"text": null}',
        '{"text": "\\ud800", "meta": {}}',
        '{"text": "x", "meta": 3}',
        '{"text": "x", "id": "\\ud800"}',
        '{"text": 3, "id": "\\ud800"}',
    ],
)
def test_a_broken_record_is_no_document_and_is_named(tmp_path: Path, line: str) -> None:
    raw = _jsonl(tmp_path / "raw" / "a.jsonl", [_record(1), line, ""])
    (tmp_path / "files.txt").write_text("a.jsonl\n")
    reader = corpus.Jsonl(str(raw.parent), str(tmp_path / "files.txt"), str(tmp_path / "skipped"))
    assert [document.id for document in reader.run()] == ["1801.00001"]
    (skipped,) = (tmp_path / "skipped" / "00000.jsonl").read_text().splitlines()
    assert json.loads(skipped)["line"] == 2


def test_too_many_broken_records_and_nothing_left_are_errors(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "raw" / "a.jsonl", [_record(n) for n in range(20)] + ["{"])
    with pytest.raises(DataError, match=r"1 of 21 records are broken, more than 1%; the first: a\.jsonl:21"):
        _prepare(tmp_path, raw)
    with pytest.raises(DataError, match="nothing is left of 20 documents"):
        _prepare(tmp_path, raw, "short", least=1000, tolerance=0.1)


def test_a_cut_file_is_an_error_and_another_preparation_is_not_overwritten(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "raw" / "a.jsonl.gz", [_record(n) for n in range(20)])
    whole = raw.read_bytes()
    raw.write_bytes(whole[:-30])
    with pytest.raises(DataError, match="clean failed"):
        _prepare(tmp_path, raw)
    with pytest.raises(DataError, match="beginnings of another preparation"):
        _prepare(tmp_path, raw, seed=1)


def test_latex_and_pdfs_are_read_a_paper_a_document(tmp_path: Path) -> None:
    main = tmp_path / "tex" / "1911.1" / "main.tex"
    main.parent.mkdir(parents=True)
    main.write_text("\\documentclass{a}\\begin{document}\\input{body}\\end{document}")
    (main.parent / "body.tex").write_text(_text(5))
    (tmp_path / "pdf").mkdir()
    with pymupdf.open() as document:
        document.new_page().insert_textbox((50, 50, 500, 700), "\n".join(_text(n, 8) for n in range(20)))
        document.save(tmp_path / "pdf" / "1805.1.pdf")
    (tmp_path / "pdf" / "broken.pdf").write_bytes(b"no PDF")
    for folder, form, found in (("tex", corpus.Latex, "1911.1"), ("pdf", corpus.Pdfs, "1805.1")):
        names = sorted(
            str(p.relative_to(tmp_path / folder)) for p in (tmp_path / folder).rglob("*.*") if p.is_file()
        )
        (tmp_path / "files.txt").write_text("\n".join(names))
        reader = form(str(tmp_path / folder), str(tmp_path / "files.txt"), str(tmp_path / folder / "skipped"))
        (document,) = reader.run()
        assert document.id == found
        assert len(document.text.split()) > 100
    (skipped,) = (tmp_path / "pdf" / "skipped" / "00000.jsonl").read_text().splitlines()
    assert json.loads(skipped)["id"] == "broken"


def _read(reader: type[Any], folder: Path) -> list[str]:
    (folder.parent / "files.txt").write_text("".join(f"{path.name}\n" for path in sorted(folder.iterdir())))
    read = reader(str(folder), str(folder.parent / "files.txt"), str(folder.parent / "skipped"))
    return [document.text for document in read.run()]


PLAIN = "We reach 85% accuracy on SQuAD and beat BERT.\n\nWe minimise $\\begin{array}{c}\\mathbf {x}\\end{array}$ in 5% of it."


def test_a_per_cent_in_plain_text_ends_no_line_and_in_latex_it_does(tmp_path: Path) -> None:
    source = "% arXiv\n\\section{One} Fifty \\% of it % said so\nis $x$.\n"
    _jsonl(tmp_path / "raw" / "a.jsonl", [_record(1, text=text) for text in (PLAIN, source)])
    assert _read(corpus.Jsonl, tmp_path / "raw") == [PLAIN, "\\section{One} Fifty \\% of it\nis $x$."]


def test_a_per_cent_in_a_pdf_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pymupdf.open() as document:
        document.new_page().insert_textbox(
            (50, 50, 500, 700), "We reach 85% accuracy on SQuAD and beat BERT."
        )
        document.save(tmp_path / "raw" / "a.pdf")
    (text,) = _read(corpus.Pdfs, tmp_path / "raw")
    assert "We reach 85% accuracy on SQuAD and beat BERT." in text


def test_what_is_no_corpus_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(DataError, match="holds none of"):
        _prepare(tmp_path, tmp_path / "raw")
    _jsonl(tmp_path / "raw" / "a.jsonl", [_record(1)])
    (tmp_path / "raw" / "b.pdf").write_bytes(b"%PDF")
    with pytest.raises(DataError, match="holds more than one of"):
        _prepare(tmp_path, tmp_path / "raw")


def test_a_tokenizer_must_be_one_and_know_how_a_document_ends(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    for name, why in ((tmp_path / "bad.json", "is no tokenizer"), (tmp_path / "none.json", "there is no")):
        with pytest.raises(DataError, match=why):
            tokenizing.choose(str(name))
    without = _tokenizer(tmp_path / "without.json", end="[END]")
    with pytest.raises(DataError, match="no token that is known to end"):
        tokenizing.choose(without)
    assert tokenizing.choose(without, "[END]").end_id == 1
    gemma = Tokenizer.from_file(_tokenizer(tmp_path / "gemma.json", end="</s>"))
    gemma.add_tokens(["<eos>"])
    gemma.save(str(tmp_path / "gemma.json"))
    assert tokenizing.choose(str(tmp_path / "gemma.json")).end == "<eos>"
    with pytest.raises(ModelError, match="no model named"):
        tokenizing.choose("qwne")
    assert tokenizing.choose(_tokenizer(tmp_path / "large.json", 70_000)).bytes_a_token == 4


def test_slurms_scripts_are_shown_and_nothing_is_made(tmp_path: Path) -> None:
    raw = _jsonl(tmp_path / "raw" / "a.jsonl", [_record(1)])
    running = Running("slurm", 64, partition="cpu")
    scripts = arxiv.describe(raw, tmp_path / "out", _options(tmp_path), running)
    assert len(scripts) == 8
    assert "#SBATCH --partition=cpu" in scripts[0]
    assert "launch_pickled_pipeline" in scripts[0]
    assert not (tmp_path / "out" / ".work").exists()
    with pytest.raises(DataError, match="partition"):
        arxiv.describe(raw, tmp_path / "out", _options(tmp_path), Running("slurm"))
    assert arxiv.describe(raw, tmp_path / "out", _options(tmp_path), Running())[0] == "clean: 1 tasks"


def test_runs_of_words_are_hashed_alike_whatever_stands_around_them() -> None:
    one, two = corpus.grams("A b, C d e f!", 3), corpus.grams("x y a B c D e f", 3)
    assert list(one) == list(two[2:])
    assert len(set(map(int, two))) == len(two)
    assert not len(corpus.grams("a b", 3))


def test_a_long_documents_signature_is_that_of_its_pieces_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = corpus.Signature(str(tmp_path), language=corpus.Words())
    found = corpus.grams(_text(1, 500), 5).reshape(-1, 1)
    whole = step.get_signature(found)
    monkeypatch.setattr(corpus, "_PIECE", 7)
    assert step.get_signature(found) == whole


def test_shards_that_do_not_agree_with_their_index_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no token shards"):
        shards.read(tmp_path, 2)
    np.arange(10, dtype="<u2").tofile(tmp_path / "00000.bin")
    for ends in ([], [11], [5, 5, 10], [5]):
        np.array(ends, dtype="<u8").tofile(tmp_path / "00000.idx")
        with pytest.raises(DataError, match="does not agree"):
            shards.read(tmp_path, 2)
    np.array([4, 10], dtype="<u8").tofile(tmp_path / "00000.idx")
    (shard,) = shards.read(tmp_path, 2)
    assert (shard.document(0).tolist(), shard.document(1).tolist()) == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9])
    with pytest.raises(DataError, match="does not agree"):
        shards.read(tmp_path, 4)
    (tmp_path / "00000.idx").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        shards.read(tmp_path, 2)
