"""What the companion remembers: the conversation's recent turns as they are, older ones as a summary."""

from __future__ import annotations

from collections.abc import Generator as EventStream
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from mozi_engine import prompts
from mozi_engine.types import GenerationSettings, Generator, Prefill, Remembering, Turn

CHARACTERS = 4000  # of conversation that a prompt repeats at the most
_SUMMARY_TOKENS = 120


@dataclass(frozen=True, slots=True)
class Recalled:
    """`summary` of what was said before `recent`; "" when that is all."""

    summary: str
    recent: tuple[Turn, ...]


class Memory:
    """The memory of one conversation. What is beyond the budget is summarised once, and added to.

    Of a long conversation that is gone on with, as much is summarised as a prompt may repeat; what was said
    before that is let go.
    """

    def __init__(self, generator: Generator, characters: int = CHARACTERS) -> None:
        """`characters` is lowered where the model's context (in tokens) would not hold them."""
        self._generator = generator
        context = generator.context if isinstance(generator, Remembering) else characters * 2
        self._characters = min(characters, context // 2)
        self._older: tuple[Turn, ...] = ()
        self._summary = ""

    def recall(self, history: Sequence[Turn]) -> EventStream[Prefill, None, Recalled]:
        """Summarise what no longer fits, in whole turns; tells the prefill of that."""
        start = first_kept(history, self._characters)
        older = tuple(history[:start])
        if older[: len(self._older)] != self._older:  # another conversation
            self._older, self._summary = (), ""
        if new := older[len(self._older) :]:
            self._summary = yield from self._summarised(new[first_kept(new, self._characters) :])
            self._older = older
        return Recalled(self._summary, tuple(history[start:]))

    def known(self, history: Sequence[Turn]) -> Recalled | None:
        """The same without the model; None where it would have to summarise."""
        start = first_kept(history, self._characters)
        if start and tuple(history[:start]) != self._older:
            return None
        return Recalled(self._summary if start else "", tuple(history[start:]))

    def _summarised(self, turns: Sequence[Turn]) -> EventStream[Prefill, None, str]:
        prompt = prompts.render_summary(self._summary, turns)
        text = ""
        settings = GenerationSettings(max_new_tokens=_SUMMARY_TOKENS)
        with closing(self._generator.stream(prompt, settings)) as pieces:
            for piece in pieces:
                if isinstance(piece, str):
                    text += piece
                elif isinstance(piece, Prefill):
                    yield piece
        return " ".join(text.split()) or self._summary


def first_kept(history: Sequence[Turn], characters: int) -> int:
    """Where the turns begin that are repeated as they are: at one of the person's, never within a turn.

    Half of the budget is given up at a time: a prompt that dropped one exchange a message would have nothing
    in common with the one before it, and would be read again from its beginning. The last exchange is kept.
    """
    starts = [place for place, turn in enumerate(history) if turn.role == "user"]
    first = 0
    for end in [*starts[1:], len(history)]:
        if _size(history[first:end]) > characters:
            kept = [s for s in starts if first < s < end and _size(history[s:end]) <= characters // 2]
            first = kept[0] if kept else max((s for s in starts if s < end), default=0)
    return first


def _size(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)
