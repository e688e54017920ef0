from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from mozi_engine.retrieval import dense
from mozi_engine.retrieval.dense import Dense, Encoder, Vectors, embed, embedding
from mozi_engine.types import Passage, Progress

SENTENCES = [
    "What corpus was the parser trained on?",
    "The model is trained on 1.2 million sentences of the Penn Treebank.",
    "We thank the anonymous reviewers.",
    "Entity linking connects mentions to a knowledge base.",
    "How are mentions linked to entities?",
]
# The cosines that sentence-transformers 6.2.0 gives in float32 with the weights that were exported.
COSINES = [
    [1.000, 0.505, 0.118, 0.114, 0.061],
    [0.505, 1.000, 0.062, 0.193, 0.128],
    [0.118, 0.062, 1.000, 0.067, 0.143],
    [0.114, 0.193, 0.067, 1.000, 0.712],
    [0.061, 0.128, 0.143, 0.712, 1.000],
]


class Counting(Encoder):
    """The encoder, counting the texts that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = 0

    def stream(self, texts: Sequence[str]) -> Generator[Vectors, None, None]:
        self.texts += len(texts)
        return super().stream(texts)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOZI_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def passages() -> list[Passage]:
    return [Passage(i, "Method", text, "text", ()) for i, text in enumerate(SENTENCES[1:4])]


def entries(home: Path) -> list[Path]:
    return sorted((home / "cache" / "embeddings").iterdir())


def test_the_id_names_the_model_file() -> None:
    model = Path(dense.__file__).parent / "encoder" / "model.onnx"
    assert hashlib.sha256(model.read_bytes()).hexdigest().startswith(Encoder.id)


def test_the_readme_names_the_files_that_ship() -> None:
    folder = Path(dense.__file__).parent / "encoder"
    readme = (folder / "README.md").read_text("utf-8")
    for name in ("model.onnx", "tokenizer.json"):
        assert f"`{name}` | `{hashlib.sha256((folder / name).read_bytes()).hexdigest()}`" in readme


def test_int8_keeps_the_cosines_of_float32(encoder: Encoder) -> None:
    vectors = encoder.encode(SENTENCES)
    assert np.allclose(vectors @ vectors.T, COSINES, atol=0.05)


def test_a_vector_is_of_unit_length_and_depends_on_its_text_alone(encoder: Encoder) -> None:
    texts = ["a much longer text than the others, " * 20, "short", "", "检索", *SENTENCES]
    vectors = encoder.encode(texts)
    assert vectors.shape == (len(texts), Encoder.width)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.array_equal(vectors, alone)


def test_nothing_encodes_to_nothing(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, Encoder.width)


def test_what_stands_after_256_word_pieces_is_not_read(encoder: Encoder) -> None:
    start = "word " * 300
    first, second = encoder.encode([start, start + "and then something quite different"])
    assert first @ second == pytest.approx(1, abs=1e-5)


def test_embedding_is_remembered_by_text_and_paper(home: Path, passages: list[Passage]) -> None:
    encoder = Counting()
    made = embed("paper", passages, encoder)
    assert encoder.texts == 3
    assert np.array_equal(embed("paper", passages, encoder), made)
    assert encoder.texts == 3
    embed("paper", passages[:2], encoder)
    assert encoder.texts == 5
    assert len(entries(home)) == 2


@pytest.mark.parametrize("damage", [b"", b"x", bytes(3 * 384 * 4), b"\xff" * (3 * 384 * 4), bytes(10_000)])
def test_a_damaged_entry_is_made_again(home: Path, passages: list[Passage], damage: bytes) -> None:
    encoder = Encoder()
    made = embed("paper", passages, encoder)
    (entry,) = entries(home)
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    assert np.array_equal(embed("paper", passages, encoder), made)
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(home: Path, passages: list[Passage]) -> None:
    (home / "cache").write_text("a file where a folder should be")
    assert embed("paper", passages, Encoder()).shape == (3, Encoder.width)


def test_progress_is_reported_and_can_stop_the_work(home: Path, passages: list[Passage]) -> None:
    *progress, vectors = embedding("paper", passages, Encoder())
    assert [(p.done, p.total) for p in progress if isinstance(p, Progress)] == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(np.asarray(vectors), embed("paper", passages, Encoder()))
    stopped = cast("Generator[object]", embedding("another", [*passages, *passages], Encoder()))
    next(stopped)
    stopped.close()
    assert len(entries(home)) == 1


def test_a_question_finds_what_it_means_without_sharing_its_words(
    home: Path, passages: list[Passage], encoder: Encoder
) -> None:
    found = Dense(passages, embed("paper", passages, encoder), encoder)
    best = found.search("Which data did they learn from?", 2)
    assert best[0].passage is passages[0]
    assert [e.rank for e in best] == [1, 2]
    assert 1 >= best[0].score >= best[1].score


def test_an_empty_paper_or_question_finds_nothing(
    home: Path, passages: list[Passage], encoder: Encoder
) -> None:
    assert Dense([], embed("empty", [], encoder), encoder).search("anything", 3) == []
    assert Dense(passages, embed("paper", passages, encoder), encoder).search(" ", 3) == []
