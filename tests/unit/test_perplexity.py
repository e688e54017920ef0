import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mozi_engine.errors import DataError
from mozi_engine.evaluation.perplexity import chunks, documents, measure
from mozi_engine.evaluation.report import Table


class Even:
    """Finds every one of four letters as likely as the others; reads eight at once."""

    context = 8
    vocabulary = 128
    begin: tuple[int, ...] = ()

    def tokens(self, text: str) -> list[int]:
        return list(map(ord, text))

    def nats(self, tokens: Sequence[int]) -> float:
        return (len(tokens) - 1) * math.log(4)


def _jsonl(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": text, "meta": {}}) + "\n" for text in texts), "utf-8")
    return path


def test_a_document_is_cut_into_whole_chunks(tmp_path: Path) -> None:
    path = _jsonl(tmp_path / "x.jsonl", "abcdefgh", "abc", "abcd")
    found = chunks(path, Even(), 4)
    assert [(c.document, c.number, len(c.tokens)) for c in found] == [(1, 1, 4), (1, 2, 4), (3, 1, 4)]
    assert chunks(path, Even(), 4, limit=2) == found[:2]


def test_perplexity_of_four_even_choices_is_four(tmp_path: Path) -> None:
    pieces = chunks(_jsonl(tmp_path / "x.jsonl", "abcdefgh", "abcd"), Even(), 4)
    *steps, table = measure("base", pieces, Even())
    assert len(steps) == 3
    assert isinstance(table, Table)
    (score,) = table.scores()
    assert (score.name, score.value, score.n) == ("perplexity", pytest.approx(4), 3)
    assert table.clusters == {"1.1": "1", "1.2": "1", "2.1": "2"}


class Begun(Even):
    """Begins every text with a token, after which the first letter is certain."""

    begin = (1,)

    def nats(self, tokens: Sequence[int]) -> float:
        assert tokens[0] == 1
        return (len(tokens) - 2) * math.log(4)


def test_every_chunk_begins_as_the_model_begins_a_text(tmp_path: Path) -> None:
    path = _jsonl(tmp_path / "x.jsonl", "abcdefgh", "ab", "abc")
    pieces = chunks(path, Begun(), 4)
    assert ["".join(map(chr, piece.tokens[1:])) for piece in pieces] == ["abc", "def", "abc"]
    *_, table = measure("base", pieces, Begun())
    assert isinstance(table, Table)
    (score,) = table.scores()
    assert score.value == pytest.approx(4 ** (2 / 3))  # three letters are scored, and the first is known


def _corpus(folder: Path, *documents: str) -> Path:
    held_out = folder / "held_out"
    held_out.mkdir(parents=True)
    tokens = np.array(list(map(ord, "".join(documents))), "<u2")
    tokens.tofile(held_out / "00000.bin")
    np.cumsum(list(map(len, documents))).astype("<u8").tofile(held_out / "00000.idx")
    (folder / "manifest.json").write_text(json.dumps({"options": {"bytes_a_token": 2}}), "utf-8")
    return folder


def test_the_held_out_part_of_a_corpus_is_read(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path / "corpus", "abcdefgh", "abc", "abcd")
    text = _jsonl(tmp_path / "x.jsonl", "abcdefgh", "abc", "abcd")
    assert chunks(corpus, Even(), 4) == chunks(text, Even(), 4)


def test_a_corpus_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not know"):
        chunks(_corpus(tmp_path / "corpus", "abcdéfgh"), Even(), 4)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"options": {"bytes_a_token": "x"}}'])
def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest, "utf-8")
    with pytest.raises(DataError, match="is no corpus"):
        chunks(tmp_path, Even(), 4)


def test_text_is_read_plain_compressed_or_as_lines(tmp_path: Path) -> None:
    lines = _jsonl(tmp_path / "x.jsonl", "one", "two")
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines.read_bytes()))
    (tmp_path / "x.txt").write_text("one\ntwo", "utf-8")
    assert list(documents(lines)) == list(documents(tmp_path / "x.jsonl.gz")) == ["one", "two"]
    assert list(documents(tmp_path / "x.txt")) == ["one\ntwo"]


@pytest.mark.parametrize("line", ["nonsense", "[]", "3", "{}", '{"text": 1}', '"text"', "\xff"])
def test_a_line_without_text_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": "one"}\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=r"line 2 has no text"):
        list(documents(path))


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    path = _jsonl(tmp_path / "x.jsonl", "abc")
    with pytest.raises(DataError, match="no document of"):
        chunks(path, Even(), 4)
    with pytest.raises(DataError, match="reads 8 tokens at once"):
        chunks(path, Even(), 9)
    with pytest.raises(DataError, match="cannot be read"):
        chunks(tmp_path / "none.jsonl", Even(), 4)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        list(documents(tmp_path / "cut.gz"))
