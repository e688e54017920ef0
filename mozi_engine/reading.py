"""The paper as the beginning of every prompt: read by the model once, in pieces, and remembered on disk."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from mozi_engine import prompts, states
from mozi_engine.errors import ModelError, MoziError
from mozi_engine.types import Generator as Model
from mozi_engine.types import Paper, Paragraph, Prefill, Remembering, Section, Turn

RESERVED = 3072  # tokens of the context kept free for the conversation, single passages and the answer
LEAST = 1024  # tokens of a paper below which reading it whole is no help
_SAVED_EVERY = 2048  # tokens: about what a killed process loses at most
_LIGHT = 2048  # tokens: a part of a paper so short slows a question no more than its way to the disk

Brief = Callable[[Callable[[], bool]], bool]  # as `engines.brief`: given `held`, whether all is known

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# When a paper is longer than the context, sections are read in this order; words are looked for in titles.
_MATTERS = (
    ("abstract", "summary", "摘要"),
    ("introduction", "conclusion", "引言", "绪论", "结论", "总结"),
    ("result", "experiment", "evaluation", "finding", "实验", "结果"),
    ("method", "model", "approach", "data", "discussion", "limitation", "方法", "数据"),
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What every prompt about the whole paper begins with.

    `pages` says where in the text each page begins, as (character, page); `left_out` names the
    sections that did not fit, wholly or in part.
    """

    turns: tuple[Turn, Turn]
    pages: tuple[tuple[int, int], ...]
    left_out: tuple[str, ...]

    def page(self, prefill: Prefill) -> int:
        """The page that the model has reached, by its share of the text."""
        reached = len(self.turns[1].text) * prefill.done / max(prefill.total, 1)
        return max((page for start, page in self.pages if start <= reached), default=1)


def beginning(paper: Paper, budget: int, count: Callable[[str], int]) -> Beginning:
    """The paper's title, abstract, body, captions and tables, within `budget` tokens, in reading order.

    Raises ModelError when the budget is too small for more than an abstract.
    """
    if budget < LEAST:
        hint = f"raise `context` in settings.toml to {RESERVED + LEAST} or more"
        raise ModelError("the model's context is too small to read a paper", hint)
    pieces = [
        (section.title, paragraph)
        for section in paper.sections
        for paragraph in section.paragraphs
        if paragraph.kind not in ("heading", "footnote")
    ]
    kept, text = pieces, _text(pieces)
    ranks, characters = _ranks(paper.sections), len(text.text)
    while kept and (tokens := count(text.text)) > budget:  # tables have more tokens a character than prose
        characters = int(characters * 0.99 * budget / tokens)
        kept = _most_important(pieces, ranks, characters)
        text = _text(kept)
    chosen = {id(paragraph) for _, paragraph in kept}
    left_out = dict.fromkeys(title for title, paragraph in pieces if id(paragraph) not in chosen)
    turns = prompts.render_paper(paper.title, text.text, whole=not left_out)
    offset = turns[1].text.rindex(text.text)
    return Beginning(turns, tuple((start + offset, page) for start, page in text.pages), tuple(left_out))


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is to any model, rather too many: for servers that do not count."""
    unspaced = len(_UNSPACED.findall(text))
    return unspaced + (len(text) - unspaced) // 3


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    pages: tuple[tuple[int, int], ...]


def _text(pieces: list[tuple[str, Paragraph]]) -> _Text:
    parts: list[str] = []
    pages: dict[int, int] = {}
    length, title = 0, ""
    for heading, paragraph in pieces:
        if heading != title:
            title = heading
            parts.append(f"## {heading}")
            length += len(parts[-1]) + 2
        if paragraph.words:
            pages.setdefault(paragraph.words[0].box.page, length)
        parts.append(paragraph.text)
        length += len(parts[-1]) + 2
    return _Text("\n\n".join(parts), tuple((start, page) for page, start in pages.items()))


def _most_important(
    pieces: list[tuple[str, Paragraph]], ranks: Mapping[str, int], characters: int
) -> list[tuple[str, Paragraph]]:
    """The pieces that matter most, as many as fit, in their own order."""
    matters = [1 if paragraph.kind == "caption" else ranks[title] for title, paragraph in pieces]
    order = sorted(range(len(pieces)), key=lambda i: (matters[i], i))
    kept = []
    for i in order:
        title, paragraph = pieces[i]
        characters -= len(paragraph.text) + len(title) + 7  # a heading and blank lines at the most
        if characters < 0:
            break
        kept.append(i)
    return [pieces[i] for i in sorted(kept)]


def _ranks(sections: Sequence[Section]) -> dict[str, int]:
    """How much each section matters, by its title or that of a section around it; 0 is the most."""
    ranks: dict[str, int] = {}
    around: list[tuple[int, int]] = []  # levels and ranks of the sections that are open
    for section in sections:
        around = [(level, rank) for level, rank in around if level < section.level]
        folded = section.title.casefold()
        own = (rank for rank, words in enumerate(_MATTERS) if any(word in folded for word in words))
        rank = next(own, around[-1][1] if around else len(_MATTERS))
        if section.level:  # nothing stands under the text before any heading
            around.append((section.level, rank))
        ranks[section.title] = min(rank, ranks.get(section.title, rank))
    return ranks


class Reading:
    """One paper, as far as one model has read it."""

    def __init__(self, paper: Paper, model: Remembering, limit: int) -> None:
        """`limit` is how many bytes the states on the disk may take."""
        self._model, self._limit, self._paper = model, limit, paper.id
        self.beginning = beginning(paper, model.context - RESERVED, model.count_tokens)
        self._name = states.key(model.identity, *(turn.text for turn in self.beginning.turns))
        self.reached = Prefill(0, 1, 0)
        self._kept = 0
        self._set_aside = False

    @property
    def complete(self) -> bool:
        """Whether the model knows the whole text."""
        return self.reached.done >= self.reached.total

    @property
    def remembered(self) -> bool:
        """Whether all that was read lies on the disk: it was kept, and not forgotten for another since."""
        return self._kept >= self.reached.done and states.file(self._name).exists()

    def recall(self) -> None:
        """Take up what was remembered of this paper, if anything was."""
        state = states.find(self._name)
        if state is None:
            return
        try:
            self._model.restore(states.file(self._name).name, self.beginning.turns)
        except ModelError:
            states.remove(self._name)
        else:
            self.reached = Prefill(state.tokens, state.total, state.tokens)
            self._kept = state.tokens

    def steps(self, held: Callable[[], bool] = lambda: False) -> Generator[Prefill, None, None]:
        """Read on, a piece at a time, and remember it. Closed early, what was read is not lost.

        It ends early when `held` says so, at the end of the piece under way. Raises ModelError when the
        model does not get on.
        """
        if self._set_aside:
            self._set_aside = False
            self.reached, self._kept = Prefill(0, self.reached.total, 0), 0
            self.recall()
        while not self.complete:
            before = self.reached.done
            with closing(self._model.read(self.beginning.turns, held)) as pieces:
                for self.reached in pieces:
                    yield self.reached
                    # An engine writes its state down when it is at rest: the read is closed for that.
                    if self.reached.done - before >= _SAVED_EVERY:
                        break
            if held():
                return
            if self.reached.done <= before:
                raise ModelError("the model does not read on", hint="--engine remote asks another one")
            self.keep()
            if self.complete and self.remembered:
                self.recall()  # an engine lays down more tidily what it takes up than what it read in pieces

    def set_aside(self) -> bool:
        """Leave a paper that is read in part to the disk until it is read on; whether it was let go of.

        What is asked meanwhile costs as little as if nothing had been read. Raises ModelError.
        """
        if self._set_aside or self.complete or self.reached.done < _LIGHT:
            return False
        self.keep()
        self._set_aside = self.remembered and self._model.forget()
        return self._set_aside

    def keep(self) -> None:
        """Remember on the disk what was read so far."""
        if self.reached.done > self._kept and states.keep(
            self._name,
            self._model.save,
            self.reached.done,
            self.reached.total,
            self._limit,
            paper=self._paper,
            model=self._model.name,
        ):
            self._kept = self.reached.done


def taken_up(paper: Paper, model: Model, gigabytes: float) -> Reading | None:
    """What the model remembers of the paper; None where it cannot remember, or its context holds no paper.

    What is not the whole paper stays on the disk until it is read on. `gigabytes` is what the states there
    may take.
    """
    if not isinstance(model, Remembering) or model.context < RESERVED + LEAST:
        return None
    reading = Reading(paper, model, int(gigabytes * 1e9))
    reading.recall()
    reading.set_aside()
    return reading


class BackgroundReading:
    """Reads on in a thread, and steps aside for questions."""

    def __init__(
        self,
        brief: Brief | None,
        reading: Reading | None,
        report: Callable[[Prefill], object] | None = None,
    ) -> None:
        """A paper that is not known whole begins with its opening, by `brief`.

        `report` is called in the thread, after every piece of the paper. What stops the reading is in
        `failure`.
        """
        self.reading = reading
        self.failure: MoziError | None = None
        self._brief = self._opening = None if reading and reading.complete else brief
        self._report = report
        self._model = threading.Lock()  # held by whoever uses the model
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hold the reading while a question is answered: it stops at the end of the piece under way.

        The paper makes room, and the opening is taken up again. Raises ModelError.
        """
        self._wanted.set()
        try:
            self._model.acquire()
        finally:  # also where Ctrl-C ends the wait: the reading goes on
            self._wanted.clear()
        try:
            if self.reading and self.reading.set_aside() and self._opening and self._brief is None:
                self._opening(lambda: False)
            yield
        finally:
            self._model.release()

    def brief(self, held: Callable[[], bool]) -> None:
        """Have the model read the opening on, until `held`; for who has the model aside."""
        # An opening that the model does not get on with is no reason to stay there.
        if self._brief and (self._brief(held) or not held()):
            self._brief = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to read."""
        return self._brief is None and (self.reading is None or self.reading.complete)

    def close(self) -> None:
        """Stop reading, and remember what was read."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not (self.complete or self._closed.is_set()):
                with self._model:
                    self._read_on()
                self._let_by()
            if self.reading:
                self.reading.keep()
        except MoziError as error:
            self.failure = error

    def _read_on(self) -> None:
        self.brief(self._held)
        if self._brief or self.reading is None:
            return
        with closing(self.reading.steps(self._held)) as steps:
            for step in steps:
                if self._report:
                    self._report(step)

    def _held(self) -> bool:
        return self._wanted.is_set() or self._closed.is_set()

    def _let_by(self) -> None:
        """Wait until whoever wants the model has it: a lock alone would come straight back here."""
        while self._wanted.is_set() and not self._closed.is_set():
            self._closed.wait(0.01)
