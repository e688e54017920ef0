"""Perplexity on held-out text, in chunks of a fixed length: the Mozi report's Table 4 (Lan et al., 2023).

A document is cut into chunks that do not overlap; what is left at its end is left out, as there. Where the
model's tokenizer begins a text with a token of its own (LLaMA's, Gemma's), each chunk begins with it, and has
room for it: its length is what the model reads. That token is not scored, but the text's first is; without
one the text's first is read only. So do lm-evaluation-harness (`prefix_token_id`) and Hugging Face's evaluate
(`add_start_token`); a Gemma that does not see its begin token finds every text unlikely. Intervals are over
documents.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mozi_engine.datasets import shards
from mozi_engine.errors import DataError
from mozi_engine.evaluation.bootstrap import Measure
from mozi_engine.evaluation.report import Table
from mozi_engine.types import Progress

CHUNK = 2048  # tokens


class Reader(Protocol):
    """What perplexity asks of a model: the most tokens it reads at once, and how many it knows.

    `begin` is the token that its tokenizer puts before a text, if it does.
    """

    context: int
    vocabulary: int
    begin: tuple[int, ...]

    def tokens(self, text: str) -> list[int]:
        """The text's token ids."""
        ...

    def nats(self, tokens: Sequence[int], known: int = 1) -> float:
        """The negative log likelihood of all tokens after the first `known`, summed."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document after the begin token, if there is one; its document and its number, from 1."""

    document: int
    number: int
    tokens: tuple[int, ...]


def documents(path: Path) -> Iterator[str]:
    """The `text` of every line of a JSONL file (.jsonl, .jsonl.gz), or a .txt file whole.

    Raises DataError for what is neither.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            if path.suffix == ".txt":
                yield file.read().decode("utf-8", "replace")
                return
            for number, line in enumerate(file, start=1):
                yield _text(path, number, line)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give text as JSONL or .txt") from error


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        found: Any = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        hint = 'each line is an object like {"text": "…"}'
        raise DataError(f"{path}, line {number} has no text", hint=hint) from error
    if not isinstance(found, str):
        raise DataError(f"{path}, line {number} has no text", hint='"text" is a string')
    return found


def held_out(corpus: Path) -> Iterator[list[int]]:
    """The token ids of every held-out document of a folder that `mozi prepare arxiv` wrote.

    Its tokenizer must be the model's. Raises DataError for another folder.
    """
    for shard in shards.corpus(corpus).split("held_out"):
        for number in range(len(shard)):
            yield shard.document(number).tolist()


def chunks(path: Path, model: Reader, length: int = CHUNK, limit: int = 0) -> list[Chunk]:
    """The first `limit` chunks of a file of texts, or of a corpus's held-out part; all where it is 0.

    Raises DataError where no document is long enough for one, or the model reads no such length or ids.
    """
    if length > model.context:
        raise DataError(f"the model reads {model.context} tokens at once", hint="give a smaller --chunk")
    found: list[Chunk] = []
    room = length - len(model.begin)
    read = held_out(path) if path.is_dir() else map(model.tokens, documents(path))
    for document, tokens in enumerate(read, start=1):
        if max(tokens, default=0) >= model.vocabulary:
            hint = "prepare it again with the model's own tokenizer"
            raise DataError(f"{path} has tokens that the model does not know", hint=hint)
        for number in range(len(tokens) // room):
            piece = (*model.begin, *tokens[number * room : (number + 1) * room])
            found.append(Chunk(document, number + 1, piece))
            if len(found) == limit:
                return found
    if not found:
        raise DataError(f"no document of {path} has {room} tokens", hint="a smaller --chunk cuts finer")
    return found


def measure(name: str, pieces: Sequence[Chunk], model: Reader) -> Iterator[Progress | Table]:
    """Progress for every chunk, then the table."""
    rows = {}
    for done, piece in enumerate(pieces, start=1):
        rows[_key(piece)] = (model.nats(piece.tokens), float(len(piece.tokens) - 1))
        yield Progress(name, done, len(pieces), "chunks")
    clusters = {_key(piece): str(piece.document) for piece in pieces}
    yield Table(name, (Measure("perplexity", rows, "perplexity", "number"),), clusters)


def _key(piece: Chunk) -> str:
    return f"{piece.document}.{piece.number}"
