"""From a file to a paper that can be searched: a little at once, better as reading goes on."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from mozi_engine.paper.opening import LayoutProgress, LayoutRead, TextRead, read
from mozi_engine.paper.passages import opening, split
from mozi_engine.retrieval.bm25 import Bm25
from mozi_engine.retrieval.dense import Dense, Encoder, embedding
from mozi_engine.retrieval.hybrid import Hybrid
from mozi_engine.settings import Settings
from mozi_engine.types import Paper, Passage, Progress, Retriever


@dataclass(frozen=True, slots=True)
class Indexed:
    """A paper as far as it has been read, and the best search over it so far.

    `stage` is "text" (fast text, by words), "layout" (final passages, by words) or "dense" (by meaning too).
    """

    paper: Paper
    passages: tuple[Passage, ...]
    retriever: Retriever
    stage: str

    @property
    def opening(self) -> tuple[Passage, ...]:
        """What every prompt from passages begins with: the abstract's."""
        return opening(self.passages)


def index(
    path: Path, settings: Settings, encoder: Encoder, password: str | None = None
) -> Generator[Progress | Indexed, None, None]:
    """Read, split, index and embed; each Indexed replaces the one before. Raises PaperError.

    Closing the iterator stops the reading.
    """
    events = read(path, password=password, seconds=settings.pdf_seconds, gigabytes=settings.pdf_gigabytes)
    for event in events:
        match event:
            case LayoutProgress(page, pages):
                yield Progress("reading the layout", page, pages, "pages")
            case TextRead(paper):
                passages = split(paper)
                yield Indexed(paper, passages, Bm25(passages), "text")
            case LayoutRead(paper):
                passages = split(paper)
                words = Bm25(passages)
                yield Indexed(paper, passages, words, "layout")
                for item in embedding(paper.id, passages, encoder):
                    if isinstance(item, Progress):
                        yield item
                    else:
                        both = Hybrid(passages, words, Dense(passages, item, encoder.asking))
                        yield Indexed(paper, passages, both, "dense")
