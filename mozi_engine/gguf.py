"""What a GGUF file says of itself, from its first bytes (specification: ggml, docs/gguf.md)."""

from __future__ import annotations

import struct
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
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _context(file)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    raise ModelError(f"{path} is not a GGUF model", hint="mozi reads GGUF files, as llama.cpp does")


def _context(file: IO[bytes]) -> int:
    try:
        _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
        for _ in range(count):
            key = _text(file)
            value = _value(file, _number(file, "I"))
            if key.endswith(b".context_length") and isinstance(value, int):
                return max(value, 0)
    except (struct.error, KeyError, ValueError, RecursionError):  # the header is damaged
        return 0
    return 0


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
