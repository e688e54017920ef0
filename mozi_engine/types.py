"""The values that cross module borders: frozen, slotted, standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Generator as EventStream
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Kind = Literal["text", "heading", "caption", "table", "equation", "list", "footnote"]
Role = Literal["system", "user", "assistant"]
Verdict = Literal["answered", "partial", "not_in_paper"]
Source = Literal["passages", "paper"]

ABSTRACTS = ("abstract", "summary", "摘要")  # titles of the section that is one, in small letters


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in PDF points, origin top left; pages count from 1."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Word:
    """Where `text[start:end]` of its paragraph or passage is printed.

    A word broken by a hyphen at the end of a line is two of these, one a line.
    """

    start: int
    end: int
    box: Box


def boxes_of(words: Sequence[Word], start: int, end: int) -> tuple[Box, ...]:
    """One box a printed line for the characters `start` to `end` (exclusive), in reading order."""
    lines: list[Box] = []
    for word in words:
        if word.end <= start or word.start >= end:
            continue
        if lines and _same_line(lines[-1], word.box):
            lines[-1] = _union(lines[-1], word.box)
        else:
            lines.append(word.box)
    return tuple(lines)


def _same_line(line: Box, word: Box) -> bool:
    middle = (word.y0 + word.y1) / 2
    return line.page == word.page and line.y0 <= middle <= line.y1 and word.x0 >= line.x0


def _union(a: Box, b: Box) -> Box:
    return Box(a.page, min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A run of text with the place of each of its words, in reading order."""

    text: str
    kind: Kind
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it. Level 1 is a top section; 0 is text before any heading."""

    title: str
    level: int
    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as read. `id` is the sha256 of the file's bytes; `references` stand apart from the body.

    `scanned` names the pages (from 1) that have no text layer and were not read.
    """

    id: str
    title: str
    sections: tuple[Section, ...]
    references: tuple[Paragraph, ...]
    pages: int
    scanned: tuple[int, ...] = ()

    @property
    def abstract(self) -> str:
        """The abstract's text, or "" where none was found."""
        found = (s for s in self.sections if s.title.casefold() in ABSTRACTS)
        return "\n".join(p.text for s in found for p in s.paragraphs)


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, or a piece of a long one: the unit that is searched, shown and cited."""

    index: int
    section: str
    text: str
    kind: Kind
    words: tuple[Word, ...]

    @property
    def page(self) -> int:
        """The page it begins on, from 1."""
        return self.words[0].box.page if self.words else 1

    def boxes(self, start: int = 0, end: int | None = None) -> tuple[Box, ...]:
        """Where `text[start:end]` is printed, one box a line."""
        return boxes_of(self.words, start, len(self.text) if end is None else end)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that bears on a question. Ranks count from 1; scores compare within one search only.

    `chance` is that of being what the question is answered by, in [0, 1]; None where the search cannot tell.
    """

    passage: Passage
    score: float
    rank: int
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence of an answer, and the words of the paper that say the same.

    `sentence` is a character range of the answer; `evidence` is a position in the answer's evidence,
    from 0; `start` and `end` are a character range of that passage's text; `support` is in [0, 1].
    """

    sentence: tuple[int, int]
    evidence: int
    start: int
    end: int
    support: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question was asked, and tokens."""

    search_ms: float = 0.0
    ttft_ms: float = 0.0
    total_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


def milliseconds_since(started: float) -> float:
    """What has passed since `started`, a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what it stands on.

    `uncited` are the sentences (character ranges) that nothing in the evidence supports;
    `unverified` are the numbers (character ranges) that stand in no cited passage. `source` is what the model
    was given, passages or the whole paper; None where that was not noted.
    """

    text: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    citations: tuple[Citation, ...]
    uncited: tuple[tuple[int, int], ...]
    unverified: tuple[tuple[int, int], ...]
    timings: Timings
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How to decode. Temperature 0 is greedy; `seed` matters only when sampling.

    `penalty_alpha`, in [0, 1), above 0 is contrastive search among the `top_k` likeliest tokens, in the torch
    engine: it weighs likeness to what was said before against chance.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256
    seed: int = 0
    penalty_alpha: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Long work that is under way: `done` of `total` (None when unknown), in the unit named."""

    label: str
    done: int
    total: int | None
    unit: Literal[
        "bytes", "pages", "passages", "papers", "questions", "records", "tasks", "chunks", "replies"
    ]


@dataclass(frozen=True, slots=True)
class Prefill:
    """The model has read `done` of `total` prompt tokens; `cached` of them it already knew."""

    done: int
    total: int
    cached: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a generation read and wrote; the last thing a stream says, where it knows."""

    prompt_tokens: int
    completion_tokens: int


class Retriever(Protocol):
    """Finds passages that bear on a question."""

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` best passages, best first."""
        ...


class Generator(Protocol):
    """Continues a conversation."""

    name: str

    def stream(
        self, messages: Sequence[Turn], settings: GenerationSettings
    ) -> EventStream[str | Prefill | Usage, None, None]:
        """Pieces of the reply as they come. Closing the iterator stops the generation."""
        ...


@runtime_checkable
class Remembering(Generator, Protocol):
    """A generator whose state after reading a text can be kept on the disk.

    `identity` names all that a state depends on besides the text: model file, engine build, attention and
    cache type.
    """

    identity: str
    context: int
    states: Path

    def count_tokens(self, text: str) -> int:
        """How many tokens the text is to this model."""
        ...

    def read(self, beginning: Sequence[Turn], held: Callable[[], bool]) -> EventStream[Prefill, None, None]:
        """Read the beginning of prompts to come, a piece at a time; goes on where an earlier read was closed.

        `held` is asked after every piece, in a thread of the engine's; it ends the reading there. Until
        something else is read, `stream` continues from it when its messages begin so.
        """
        ...

    def save(self, name: str) -> None:
        """Write the state after what was read to `states/name`. Raises ModelError."""
        ...

    def restore(self, name: str, beginning: Sequence[Turn]) -> None:
        """Take up `states/name`, written after reading `beginning` or a part of it. Raises ModelError."""
        ...

    def forget(self) -> bool:
        """Let go of what was read, where that slows down other prompts; whether it did. Raises ModelError."""
        ...


@runtime_checkable
class Anticipating(Generator, Protocol):
    """A generator that can read a prompt before it is asked for a reply to it."""

    def anticipate(
        self, messages: Sequence[Turn], held: Callable[[], bool]
    ) -> EventStream[Prefill, None, None]:
        """Read all but the end of the last turn, as a prompt of `stream` that goes on from there.

        `held` is asked as in `Remembering.read`. Raises ModelError.
        """
        ...


@runtime_checkable
class Briefed(Generator, Protocol):
    """A generator that also keeps, beside a paper, what prompts from single passages begin with."""

    identity: str
    states: Path

    def brief(self, opening: Sequence[Turn], held: Callable[[], bool]) -> EventStream[Prefill, None, None]:
        """Read the opening of prompts to come, as `Remembering.read` does, and with the same ends."""
        ...

    def save_brief(self, name: str) -> None:
        """Write the state after `brief`, of all of the opening, to `states/name`. Raises ModelError."""
        ...

    def restore_brief(self, name: str, opening: Sequence[Turn]) -> None:
        """Take up `states/name`, written after `brief` of this opening. Raises ModelError."""
        ...
