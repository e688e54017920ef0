"""The steps that a corpus goes through, as datatrove's pipelines take them.

What datatrove has is used as it is: reading and writing, sharding, both deduplications, executors. Here is
what it lacks: naming broken records, LaTeX and PDF, decontamination by how much of a document overlaps, and
signatures of documents of any length in bounded memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.readers.base import BaseDiskReader
from datatrove.pipeline.tokens.tokenizer import TokenizedFile
from datatrove.utils.text import TextNormConfig, simplify_text
from datatrove.utils.tokenization import PipelineStepWithTokenizer
from datatrove.utils.word_tokenizers import WordTokenizer
from numpy.typing import NDArray

from mozi_engine.datasets import latex
from mozi_engine.datasets.records import text as checked
from mozi_engine.errors import PaperError
from mozi_engine.paper import opening
from mozi_engine.types import Paper

Documents = Iterable[Document]

_PLAIN = TextNormConfig(norm_unicode_diacritics=False)  # diacritics take longer than all else together
_PIECE = 4096  # n-grams whose 112 hashes are in memory at a time: 4 MB
_VERSION = re.compile(r"v\d+$")  # of an arXiv id
_BATCH = 64  # documents tokenised at a time
_PRIME = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: spreads words over all bits


def grams(text: str, length: int) -> NDArray[np.uint64]:
    """A hash of every run of so many words, in order; small letters, without punctuation, numbers as 0."""
    found = simplify_text(text, _PLAIN).split()
    known = {word: xxhash.xxh64_intdigest(word.encode()) for word in set(found)}
    words = np.fromiter((known[word] for word in found), dtype=np.uint64, count=len(found))
    if len(words) < length:
        return np.empty(0, dtype=np.uint64)
    count = len(words) - length + 1
    whole = np.zeros(count, dtype=np.uint64)
    for offset in range(length):
        whole = (whole ^ words[offset : offset + count]) * _PRIME
        whole ^= whole >> np.uint64(29)
    return whole


class Words(WordTokenizer):  # type: ignore[misc]
    """White space; datatrove would load spaCy to find the words of English."""

    def word_tokenize(self, text: str) -> list[str]:
        """The words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Lines, which is all that is asked for here."""
        return text.splitlines()

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """The text as one span."""
        return [(0, len(text))]


class _Reader(BaseDiskReader):  # type: ignore[misc]
    """Reads files, and names what cannot be used in `skipped/RANK.jsonl`."""

    type = "READER"

    def __init__(self, folder: str, paths: str, skipped: str) -> None:
        super().__init__(folder, paths_file=paths, add_file_path=False)
        self._skipped, self._broken = Path(skipped), list[dict[str, Any]]()

    def run(self, data: Documents | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """The documents of this rank's files."""
        yield from super().run(data, rank, world_size)
        self._skipped.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(record) + "\n" for record in self._broken)
        (self._skipped / f"{rank:05d}.jsonl").write_text(lines, "utf-8")

    def leave(self, file: str, line: int, identity: str, reason: str) -> None:
        """Name a record that cannot be used."""
        self.stat_update("broken")
        self._broken.append({"file": file, "line": line, "id": identity, "reason": reason})

    def document(self, file: str, line: int, record: Any) -> Document | None:
        """The record as a document; None, and named, where it is none."""
        known = ""
        try:
            meta = record.get("meta") or {}
            known = str(record.get("id") or meta.get("arxiv_id") or "")
            checked(known)
            text = checked(record["text"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            self.leave(file, line, known, reason)
            return None
        self.stat_update("whole")
        return Document(self.clean(text), known or f"{file}:{line}") if text.strip() else None

    def clean(self, text: str) -> str:
        """The document's text as a language model is to read it."""
        return latex.tidy(text)


class Jsonl(_Reader):
    """RedPajama's form: `{"text", "meta": {"arxiv_id"}}` a line; plain, .gz or .zst. LaTeX or plain text."""

    name = "RedPajama"

    def read_file(self, filepath: str) -> Iterator[Document]:
        """The file's documents."""
        with self.data_folder.open(filepath, "rb", compression="infer") as file:
            # zstandard's files have no lines of their own.
            for number, line in enumerate(io.BufferedReader(file, 1 << 16), start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    self.leave(filepath, number, "", f"not JSON: {error}")
                    continue
                if document := self.document(filepath, number, record):
                    yield document

    def clean(self, text: str) -> str:
        """LaTeX as such; in plain text a % is a per cent, and the line it stands in a paragraph."""
        return latex.clean(text) if latex.is_source(text) else super().clean(text)


class Latex(_Reader):
    """A folder of LaTeX: every main file, with what it inputs, is a document."""

    name = "LaTeX"

    def read_file(self, filepath: str) -> Iterator[Document]:
        """The file's document, if it is a main file."""
        path = Path(self.data_folder.resolve_paths(filepath))
        try:
            text = latex.assemble(path)
        except OSError as error:
            return self.leave(filepath, 0, "", str(error))
        identity = path.parent.name if path.parent != Path(self.data_folder.path) else path.stem
        if latex.is_main(text) and (found := self.document(filepath, 0, {"text": text, "id": identity})):
            yield found
        return None

    def clean(self, text: str) -> str:
        """The body."""
        return latex.clean(text)


class Pdfs(_Reader):
    """A folder of PDFs, read as mozi reads a paper, without references and footnotes."""

    name = "PDF"

    def read_file(self, filepath: str) -> Iterator[Document]:
        """The file's document."""
        path = Path(self.data_folder.resolve_paths(filepath))
        try:
            text = _printed(opening.read_all(path))
        except PaperError as error:
            return self.leave(filepath, 0, path.stem, error.message)
        if found := self.document(filepath, 0, {"text": text, "id": path.stem}):
            yield found
        return None


def _printed(paper: Paper) -> str:
    parts = [paper.title]
    for section in paper.sections:
        parts.append(section.title)
        parts += [p.text for p in section.paragraphs if p.kind not in ("heading", "footnote")]
    return "\n\n".join(part for part in parts if part)


class Long(BaseFilter):  # type: ignore[misc]
    """Drops documents with fewer words than `least`."""

    name = "long"

    def __init__(self, least: int) -> None:
        super().__init__()
        self._least = least

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Whether it has enough."""
        return len(doc.text.split()) >= self._least or (False, "too short")


class Decontaminate(BaseFilter):  # type: ignore[misc]
    """Drops the papers that are evaluated on: by id, and by the share of n-grams found in them.

    One shared n-gram says little: papers thank the same foundations and quote the same sentences. `index` is
    a file of sorted hashes; beside it, `ids.json` lists arXiv ids.
    """

    name = "decontaminate"

    def __init__(self, folder: str, length: int, share: float) -> None:
        super().__init__()
        self._folder, self._length, self._share = Path(folder), length, share
        self._known: NDArray[np.uint64] | None = None
        self._ids: frozenset[str] = frozenset()

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Whether it is not one of them."""
        if self._known is None:
            self._known = np.load(self._folder / "grams.npy", mmap_mode="r")
            self._ids = frozenset(json.loads((self._folder / "ids.json").read_bytes()))
        if _VERSION.sub("", doc.id) in self._ids:
            return False, "an evaluated paper"
        found = np.unique(grams(doc.text, self._length))
        if not len(found) or not len(self._known):
            return True
        places = np.minimum(np.searchsorted(self._known, found), len(self._known) - 1)
        shared = float((self._known[places] == found).mean())
        return shared <= self._share or (False, "much of an evaluated paper")


class Signature(MinhashDedupSignature):  # type: ignore[misc]
    """datatrove's signatures, for documents of any length: n-grams are hashed a piece at a time."""

    def get_shingles(self, text: str) -> NDArray[np.uint64]:
        """The hashes of its n-grams, shape (n-grams, 1)."""
        return grams(text, self.config.n_grams).reshape(-1, 1)

    def get_signature(self, shingles: NDArray[np.uint64]) -> list[list[int]]:
        """The least of each hash over all n-grams, as datatrove finds it; a list a bucket."""
        pieces = range(0, len(shingles), _PIECE)
        each = [super(Signature, self).get_signature(shingles[at : at + _PIECE]) for at in pieces]
        return [[min(hashes) for hashes in zip(*bucket, strict=True)] for bucket in zip(*each, strict=True)]


def content(doc: Document) -> str:
    """What makes two documents copies of each other."""
    return " ".join(doc.text.split())


class Shards(PipelineStepWithTokenizer):  # type: ignore[misc]
    """Splits documents by the hash of their words into train and held-out, and writes their tokens."""

    name = "shards"
    type = "TOKENIZER"

    def __init__(self, out: str, tokenizer: str, end: str, held_out: float, seed: int) -> None:
        super().__init__(tokenizer, end)
        self._out, self._held_out, self._seed = out, held_out, seed

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Iterator[Document]:  # noqa: ARG002
        """Write this rank's documents; none goes on."""
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the executor's workers share the cores
        files: dict[str, TokenizedFile] = {}
        documents = iter(data)
        while batch := list(islice(documents, _BATCH)):
            encoded = self.tokenizer.encode_batch_fast([document.text for document in batch])
            for document, tokens in zip(batch, encoded, strict=True):
                split = self._split(document.text)
                if split not in files:
                    files[split] = TokenizedFile(
                        f"{self._out}/{split}", f"{rank:05d}.bin", token_size=self.token_size
                    )
                files[split].write(tokens.ids, None)
                self.stat_update(f"{split} documents")
                self.stat_update(f"{split} tokens", value=len(tokens.ids))
        for file in files.values():
            file.close()
        yield from ()

    def _split(self, text: str) -> str:
        digest = hashlib.sha256(f"{self._seed}\0{text}".encode()).digest()
        return "held_out" if int.from_bytes(digest[:8]) < self._held_out * 2**64 else "train"


class Last(PipelineStep):  # type: ignore[misc]
    """Runs a function of no arguments, as the last job of a corpus, wherever the executor runs it."""

    name = "last"
    type = "LAST"

    def __init__(self, work: Any) -> None:
        super().__init__()
        self._work = work

    def run(self, data: Documents | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:  # noqa: ARG002
        """Run it."""
        self._work()
        yield from ()
