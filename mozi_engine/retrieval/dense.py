"""Search by meaning: a small sentence encoder, and a paper's passages as its vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cached_property, partial
from importlib.resources import files as package_files
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from mozi_engine.errors import DataError
from mozi_engine.files import atomic, cache_dir, sha256
from mozi_engine.machine import cores
from mozi_engine.types import Evidence, Passage, Progress

QUESTIONS = "questions"  # where in an encoder's folder that of questions lies, if it is another

Vectors = NDArray[np.float32]


class Encoder:
    """SciDPR: all-MiniLM-L6-v2 trained on questions about papers, in int8; loaded at its first use.

    Reads the first 256 word pieces of a text. May be shared between threads. Texts run one by one, each on a
    core of its own: nothing is padded, and a vector depends on its text alone, where in a batch it would
    depend on its neighbours too, with which its activations are quantised.
    """

    id = "0a8a9059d5b3"  # the model file's sha256, first 12 digits: part of every cache key
    width = 384

    def __init__(self, threads: int = 0, folder: Path | None = None) -> None:
        """`folder` holds another encoder, as `mozi train retriever` exports it."""
        self._threads = threads or cores()
        self._folder = folder or package_files("mozi_engine.retrieval").joinpath("encoder")
        if folder:
            self.id = sha256(folder / "model.onnx")[:12]

    @cached_property
    def asking(self) -> Encoder:
        """What encodes questions for it: itself, unless the two were trained as a pair."""
        folder = self._folder / QUESTIONS if isinstance(self._folder, Path) else None
        return Encoder(self._threads, folder) if folder and (folder / "model.onnx").is_file() else self

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, shape (n, 384)."""
        return np.array(list(self.stream(texts)), np.float32).reshape(-1, self.width)

    def stream(self, texts: Sequence[str]) -> Generator[Vectors, None, None]:
        """The same, one vector (384,) after another. Closing the iterator stops the work."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        session = self._session
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(partial(_vector, session), encodings)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(self._folder.joinpath("tokenizer.json").read_text("utf-8"))

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = self._folder.joinpath("model.onnx").read_bytes()
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _vector(session: onnxruntime.InferenceSession, encoding: Encoding) -> Vectors:
    ids = np.array([encoding.ids], np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    vector: Vectors = session.run(["vectors"], inputs)[0][0]
    return vector


def searched(passage: Passage) -> str:
    """What of a passage is encoded: its section's title says what it is about when its own words do not."""
    return f"{passage.section}: {passage.text}" if passage.section else passage.text


def embed(paper_id: str, passages: Sequence[Passage], encoder: Encoder) -> Vectors:
    """The passages' vectors, shape (n, 384), from the cache where it has them."""
    *_, vectors = embedding(paper_id, passages, encoder)
    assert not isinstance(vectors, Progress)  # noqa: S101  embedding's promise, for the type checker
    return vectors


def embedding(paper_id: str, passages: Sequence[Passage], encoder: Encoder) -> Iterator[Progress | Vectors]:
    """The same, after Progress for every passage; the last item is the vectors.

    A damaged cache entry is made again; a cache that cannot be written to is done without.
    """
    texts = [searched(passage) for passage in passages]
    entry = _entry(paper_id, texts, encoder)
    vectors = _cached(entry, len(texts), encoder.width)
    if vectors is not None:
        yield vectors
        return
    vectors = np.zeros((len(texts), encoder.width), np.float32)
    with closing(encoder.stream(texts)) as stream:
        for place, vector in enumerate(stream):
            vectors[place] = vector
            yield Progress("embedding", place + 1, len(texts), "passages")
    with suppress(DataError), atomic(entry) as file:
        file.write(vectors.tobytes())
    yield vectors


def _entry(paper_id: str, texts: Sequence[str], encoder: Encoder) -> Path:
    digest = hashlib.sha256(encoder.id.encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
    return cache_dir() / "embeddings" / f"{paper_id[:16]}-{digest.hexdigest()[:16]}.f32"


def _cached(entry: Path, rows: int, width: int) -> Vectors | None:
    """The entry as vectors, or None where it is missing or not what was written."""
    try:
        vectors = np.frombuffer(entry.read_bytes(), np.float32).reshape(rows, width)
    except (OSError, ValueError):
        return None
    return vectors if np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3) else None


class Embedder(Protocol):
    """What makes vectors of texts: mozi's Encoder, or a model in training."""

    def encode(self, texts: Sequence[str], /) -> Vectors:
        """One unit vector a text, shape (n, width)."""
        ...


class Dense:
    """A paper's passages, searchable by meaning. `vectors` are the encoder's, one row a passage."""

    def __init__(self, passages: Sequence[Passage], vectors: Vectors, encoder: Embedder) -> None:
        self._passages = tuple(passages)
        self._vectors = vectors
        self._encoder = encoder

    def scores(self, query: str) -> Vectors:
        """The cosine of every passage with the query, in the order given."""
        if not self._passages:
            return np.zeros(0, np.float32)
        cosines: Vectors = self._vectors @ self._encoder.encode([query])[0]
        return cosines

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` nearest passages by cosine, best first; ties in paper order."""
        if not self._passages or not query.strip():
            return []
        scores = self.scores(query)
        best = np.argsort(-scores, kind="stable")[:k]
        return [Evidence(self._passages[i], float(scores[i]), rank) for rank, i in enumerate(best, start=1)]
