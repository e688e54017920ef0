"""Token shards: the documents of a corpus as token ids, in files that are mapped into memory.

A split is a folder of pairs: `00000.bin` holds the ids, little-endian uint16 (or uint32, for a vocabulary
of more than 65,536), one document after the other, each ending with the end token; `00000.idx` holds where
each document ends, in tokens from the file's beginning, little-endian uint64.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mozi_engine.datasets import manifest
from mozi_engine.errors import DataError


@dataclass(frozen=True, slots=True)
class Shard:
    """One file's ids, mapped, and where its documents end."""

    tokens: NDArray[np.unsignedinteger]
    ends: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ends)

    def document(self, number: int) -> NDArray[np.unsignedinteger]:
        """The ids of the document of that number, from 0, its end token last."""
        start = int(self.ends[number - 1]) if number else 0
        return self.tokens[start : int(self.ends[number])]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder that `mozi prepare arxiv` wrote; `tokenizer` is the sha256 of its tokenizer as JSON.

    `sha256` is that of its files' own, one after the other.
    """

    folder: Path
    tokenizer: str
    bytes_a_token: int
    sha256: str

    def has(self, name: str) -> bool:
        """Whether it has a split of that name."""
        return (self.folder / name).is_dir()

    def split(self, name: str) -> Sequence[Shard]:
        """The shards of "train" or "held_out". Raises DataError."""
        return read(self.folder / name, self.bytes_a_token)


def corpus(folder: Path) -> Corpus:
    """What the folder's manifest tells. Raises DataError for a folder that is no corpus."""
    try:
        known = json.loads((folder / manifest.NAME).read_bytes())
        options, made = known["options"], "".join(file["sha256"] for file in known.get("outputs", ()))
        digest = hashlib.sha256(made.encode()).hexdigest()
        return Corpus(folder, str(options.get("tokenizer", "")), int(options["bytes_a_token"]), digest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder} is no corpus", hint="give what mozi prepare arxiv wrote") from error


def read(folder: Path, bytes_a_token: int) -> Sequence[Shard]:
    """The shards of a split, by name; no token is read yet.

    `bytes_a_token` is what the corpus's manifest says: 2 or 4. Raises DataError when a file is missing,
    cut, or of another width.
    """
    found = sorted(folder.glob("*.bin"))
    if not found:
        raise DataError(f"there are no token shards in {folder}", hint="mozi prepare arxiv RAW OUT")
    return [_shard(path, np.dtype(f"<u{bytes_a_token}")) for path in found]


def _shard(path: Path, kind: np.dtype[np.unsignedinteger]) -> Shard:
    try:
        ends = np.fromfile(path.with_suffix(".idx"), dtype="<u8")
        tokens = np.memmap(path, dtype=kind, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="prepare the corpus again") from error
    if (
        not len(ends)
        or int(ends[-1]) != len(tokens)
        or (np.diff(ends.astype(np.int64), prepend=0) <= 0).any()
    ):
        raise DataError(f"{path} does not agree with its index", hint="prepare the corpus again")
    return Shard(tokens, ends)
