"""What tests share: a home of their own, a scripted model, and passages made by hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mozi_engine.models import catalog
from mozi_engine.settings import Settings
from mozi_engine.types import Box, GenerationSettings, Passage, Prefill, Turn, Usage, Word
from tests import tiny_llama
from tests.command import mozi
from tests.openai_server import OpenAIServer, running

# Before torch or llama.cpp load OpenMP, whose threads would spin while they wait for each other: where the
# machine also does something else, that took most of the tests' time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

EXAMPLE = Path(__file__).parent.parent / "examples" / "N18-3011.pdf"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own MOZI_HOME, and none of the person's settings."""
    for name in [name for name in os.environ if name.startswith("MOZI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MOZI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def example() -> Path:
    """The paper that ships with mozi: eight pages, two columns."""
    return EXAMPLE


@pytest.fixture(scope="session")
def _example_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("read")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOZI_HOME", str(home))
        assert mozi("evidence", EXAMPLE, "nodes").returncode == 0
    return home / "cache"


@pytest.fixture
def example_read(home: Path, _example_cache: Path) -> Path:
    """The example paper in a home that has read and embedded it before."""
    shutil.copytree(_example_cache, home / "cache")
    return EXAMPLE


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of random weights for llama.cpp, with room for a short paper."""
    for package in ("torch", "transformers", "gguf"):
        pytest.importorskip(package)
    found = tmp_path_factory.mktemp("tiny")
    tiny_llama.build(found / "base", max_position_embeddings=4096)
    return tiny_llama.gguf(found / "base", found / "base.gguf")


@pytest.fixture(scope="session")
def model_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the tests' own that has the default model: the person's, fetched there once."""
    spec = catalog.find(Settings().model)
    for _ in catalog.pull(spec):
        pass
    home = tmp_path_factory.mktemp("with_model")
    (home / "data").mkdir()
    (home / "data" / "models").symlink_to(catalog.folder(spec).parent)
    return home


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of random weights, as transformers keeps it."""
    return tiny_llama.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def openai() -> Iterator[OpenAIServer]:
    """A server that speaks OpenAI's chat API, on this machine."""
    with running() as server:
        yield server


def passage(
    text: str, index: int = 0, section: str = "Results", kind: str = "text", page: int = 1
) -> Passage:
    """A passage whose words stand side by side on one line, ten points a character."""
    words, position = [], 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        words.append(Word(start, position, Box(page, start * 10, 100, position * 10, 112)))
    return Passage(index, section, text, kind, tuple(words))  # type: ignore[arg-type]


@dataclass
class Scripted:
    """A generator that says what it is told to, and remembers what it was asked."""

    replies: list[str]
    name: str = "scripted"
    prompts: list[Sequence[Turn]] = field(default_factory=list)
    closed: int = 0

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> Iterator[str | Prefill | Usage]:
        self.prompts.append(messages)
        reply = self.replies.pop(0)
        try:
            yield Prefill(10, 10, 0)
            for word in reply.split(" "):
                yield word + " "
            yield Usage(10, len(reply.split(" ")))
        finally:
            self.closed += 1
