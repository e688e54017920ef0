"""What the companion remembers: the conversation's recent turns as they are, older ones as a summary."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Generator as EventStream
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Lock

from mozi_engine import prompts
from mozi_engine.types import GenerationSettings, Generator, Prefill, Remembering, Turn

CHARACTERS = 4000  # of conversation that a prompt repeats at the most
_SUMMARY_TOKENS = 120
_SUMMARY_CHARACTERS = 1000  # for a server that does not keep to the tokens


@dataclass(frozen=True, slots=True)
class Recalled:
    """`summary` of what was said before `recent`; "" when that is all."""

    summary: str
    recent: tuple[Turn, ...]


class Memory:
    """The memory of one conversation or more. What is beyond the budget is summarised once, and added to.

    Of a long conversation that is gone on with, as much is summarised as a prompt may repeat; what was said
    before that is let go. A summary is found by a digest of all the turns that it stands for, so that none is
    taken for another conversation's. It is never written to the disk. Threads may share a memory.
    """

    def __init__(self, generator: Generator, characters: int = CHARACTERS, summaries: int = 1) -> None:
        """`characters` is lowered where the model's context (in tokens) would not hold them.

        `summaries` is how many are held; the one not used the longest makes room.
        """
        self._generator = generator
        context = generator.context if isinstance(generator, Remembering) else characters * 2
        self._characters = min(characters, context // 2)
        self._summaries: OrderedDict[bytes, str] = OrderedDict()  # used last comes last
        self._most, self._lock = summaries, Lock()

    def recall(self, history: Sequence[Turn]) -> EventStream[Prefill, None, Recalled]:
        """Summarise what no longer fits, in whole turns; tells the prefill of that."""
        start = first_kept(history, self._characters)
        told, summary = self._held(history[:start])
        if new := history[told:start]:
            summary = yield from self._summarised(summary, new[first_kept(new, self._characters) :])
            self._hold(history[:start], summary)
        return Recalled(summary, tuple(history[start:]))

    def known(self, history: Sequence[Turn]) -> Recalled | None:
        """The same without the model; None where it would have to summarise."""
        start = first_kept(history, self._characters)
        told, summary = self._held(history[:start])
        return Recalled(summary, tuple(history[start:])) if told == start else None

    def _held(self, older: Sequence[Turn]) -> tuple[int, str]:
        """How many of the turns, from the first, a summary is held of, as many as may be; and the summary."""
        digests = _digests(older)
        with self._lock:
            for told in range(len(digests), 0, -1):
                if (digest := digests[told - 1]) in self._summaries:
                    self._summaries.move_to_end(digest)
                    return told, self._summaries[digest]
        return 0, ""

    def _hold(self, older: Sequence[Turn], summary: str) -> None:
        digest = _digests(older)[-1]
        with self._lock:
            self._summaries[digest] = summary
            self._summaries.move_to_end(digest)
            while len(self._summaries) > self._most:
                self._summaries.popitem(last=False)

    def _summarised(self, summary: str, turns: Sequence[Turn]) -> EventStream[Prefill, None, str]:
        prompt = prompts.render_summary(summary, turns)
        text = ""
        settings = GenerationSettings(max_new_tokens=_SUMMARY_TOKENS)
        with closing(self._generator.stream(prompt, settings)) as pieces:
            for piece in pieces:
                if isinstance(piece, str):
                    text += piece
                elif isinstance(piece, Prefill):
                    yield piece
        return " ".join(text.split())[:_SUMMARY_CHARACTERS] or summary


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


def _digests(turns: Sequence[Turn]) -> list[bytes]:
    """Of the first turn, of the first two, and so on."""
    digest, digests = hashlib.sha256(), []
    for turn in turns:
        digest.update(repr(turn).encode())  # the quotes of a repr keep a turn apart from the next
        digests.append(digest.digest())
    return digests


def _size(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)
