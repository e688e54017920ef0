"""What tests share: a home of their own, a scripted model, and passages made by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mozi_engine.types import Box, GenerationSettings, Passage, Prefill, Turn, Usage, Word

EXAMPLE = Path(__file__).parent.parent / "examples" / "N18-3011.pdf"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own MOZI_HOME, and none of the person's settings."""
    for name in ("MOZI_MODEL", "MOZI_ENGINE", "MOZI_BASE_URL", "MOZI_API_KEY", "MOZI_PDF_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOZI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def example() -> Path:
    """The paper that ships with mozi: eight pages, two columns."""
    return EXAMPLE


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
