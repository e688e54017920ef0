"""The tokenizer of a corpus: from a `tokenizer.json`, a GGUF file, or a model of the catalogue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from mozi_engine import files
from mozi_engine.errors import DataError, ModelError
from mozi_engine.models import catalog

# What models that are trained on documents end them with. Gemma's vocabulary has </s> too, as a tag of HTML.
_ENDS = ("<|endoftext|>", "<eos>", "</s>", "<|end_of_text|>", "<|end▁of▁sentence|>")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A tokenizer (as `tokenizer.json`), the token that ends a document, and how many bytes an id takes."""

    json: str
    end: str
    end_id: int
    bytes_a_token: int

    @property
    def sha256(self) -> str:
        """Of the JSON."""
        return _sha256(self.json)


def choose(name: str, end: str = "") -> Chosen:
    """The tokenizer of that name, which neither cuts nor pads. Raises DataError and ModelError."""
    text = Path(name).read_text("utf-8") if name.endswith(".json") and Path(name).is_file() else _model(name)
    tokenizer = _parsed(text, name)
    known = ((token, tokenizer.token_to_id(token)) for token in ([end] if end else _ENDS))
    found, identity = next(((token, number) for token, number in known if number is not None), ("", -1))
    if not found:
        what = f"no token {end!r}" if end else "no token that is known to end a document"
        raise DataError(f"the tokenizer {name} has {what}", hint="name the model's with --end-token")
    width = 4 if tokenizer.get_vocab_size() > 1 << 16 else 2
    return Chosen(tokenizer.to_str(), found, identity, width)


def digest(text: str, name: str) -> str:
    """The sha256 that a corpus made with this `tokenizer.json` has. Raises DataError."""
    return _sha256(_parsed(text, name).to_str())


def _parsed(text: str, name: str) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # tokenizers has no error of its own
        raise DataError(f"{name} is no tokenizer: {error}", hint="give a tokenizer.json") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _model(name: str) -> str:
    if name.endswith(".json"):
        raise DataError(f"there is no {name}", hint="give a tokenizer.json, a .gguf file or a model's name")
    spec = catalog.find(name)
    if not catalog.ready(spec):
        raise ModelError(f"{spec.name} is not on this disk", hint=f"mozi models pull {spec.name}")
    model = catalog.path(spec)
    stat = model.stat()
    key = hashlib.sha256(f"{model.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()
    kept = files.cache_dir() / "tokenizers" / f"{key[:32]}.json"
    if not kept.exists():
        # Here, because transformers takes seconds to import, and this is done once a model.
        from mozi_engine.datasets import gguf_tokenizer

        with files.atomic(kept) as file:
            file.write(gguf_tokenizer.read(model).encode())
    return kept.read_text("utf-8")
