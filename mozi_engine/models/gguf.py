"""What a GGUF file says of itself, from its first bytes (specification: ggml, docs/gguf.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mozi_engine.errors import ModelError

MAGIC = b"GGUF"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 20  # bytes of a text, so that a damaged length does not ask for the whole memory


def context_length(path: Path) -> int:
    """How many tokens the model was made to read; 0 where the file does not tell.

    Raises ModelError unless the file can be read and begins as GGUF does.
    """
    return max(_numbers(path).get("context_length", 0), 0)


def state_bytes(path: Path) -> int:
    """The memory that a token of context takes, in bytes: 16-bit keys and values in every layer.

    0 where the file does not tell. Raises ModelError like `context_length`.
    """
    numbers = _numbers(path)
    heads = max(numbers.get("attention.head_count", 0), 1)
    keys = numbers.get("attention.key_length", numbers.get("embedding_length", 0) // heads)
    values = numbers.get("attention.value_length", keys)
    return 2 * numbers.get("block_count", 0) * numbers.get("attention.head_count_kv", heads) * (keys + values)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is built like: `architecture` in llama.cpp's words, "" where the file does not tell."""

    architecture: str
    layers: int
    heads: int
    key_heads: int


def shape(path: Path) -> Shape:
    """How the model is built; 0 for what the file does not tell. Raises ModelError like `context_length`."""
    told = _told(path)
    name = told.get("architecture", b"")
    numbers = {key: value for key, value in told.items() if isinstance(value, int)}
    heads = numbers.get("attention.head_count", 0)
    return Shape(
        name.decode("utf-8", "replace") if isinstance(name, bytes) else "",
        numbers.get("block_count", 0),
        heads,
        numbers.get("attention.head_count_kv", heads),
    )


def _numbers(path: Path) -> dict[str, int]:
    return {key: value for key, value in _told(path).items() if isinstance(value, int)}


def _told(path: Path) -> dict[str, int | bytes]:
    """The model's own whole numbers and texts, by their keys without the architecture's name."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return dict(_entries(file))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    raise ModelError(f"{path} is not a GGUF model", hint="mozi reads GGUF files, as llama.cpp does")


def _entries(file: IO[bytes]) -> Iterator[tuple[str, int | bytes]]:
    """As far as the header is whole; the tokenizer, which comes last, is long and of no interest."""
    with suppress(struct.error, KeyError, ValueError, RecursionError):
        _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
        for _ in range(count):
            key = _text(file).decode("utf-8")
            if key.startswith("tokenizer."):
                return
            value = _value(file, _number(file, "I"))
            if isinstance(value, int | bytes):
                yield key.partition(".")[2], value


def _number(file: IO[bytes], kind: str) -> int:
    value: int = struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0]
    return value


def _text(file: IO[bytes]) -> bytes:
    length = _number(file, "Q")
    if length > _LONGEST:
        raise struct.error("a text of such a length is damage")
    return file.read(length)


def _value(file: IO[bytes], kind: int) -> int | bytes | None:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _SCALARS[kind])
    of, count = _number(file, "I"), _number(file, "Q")
    if of in _SCALARS:
        file.seek(count * struct.calcsize(_SCALARS[of]), 1)
        return None
    for _ in range(count):
        _value(file, of)
    return None
