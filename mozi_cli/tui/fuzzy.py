"""Fuzzy matching of a few words against many titles.

Textual's own tries every way to lay the letters out, which takes seconds for a title of a hundred letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TIGHT = 1 / 2  # letters in so wide a stretch are still meant; wider, nearly anything would fit


@dataclass(frozen=True, slots=True)
class Match:
    """How well a query fits a text, more is better, and the characters that made it fit."""

    score: float
    positions: frozenset[int]


def match(query: str, text: str) -> Match | None:
    """Where each word of the query stands in the text, as it is or letter by letter; None if one does not.

    Words may stand in any order; upper and lower case are alike. An empty query fits anything.
    """
    text = _lower(text)
    found = [_word(word, text) for word in _lower(query).split()]
    whole = [each for each in found if each is not None]
    if len(whole) < len(found):
        return None
    return Match(sum(each.score for each in whole), frozenset().union(*(each.positions for each in whole)))


def _word(word: str, text: str) -> Match | None:
    """Best where a word begins, then anywhere, then letter by letter in as short a stretch as can be."""
    start = next((at for at in _occurrences(word, text) if at == 0 or not text[at - 1].isalnum()), -1)
    if start >= 0:
        return Match(3, frozenset(range(start, start + len(word))))
    if (start := text.find(word)) >= 0:
        return Match(2, frozenset(range(start, start + len(word))))
    return _scattered(word, text)


def _scattered(word: str, text: str) -> Match | None:
    """The letters in their order, in the shortest stretch that has them; None where that is too wide."""
    found: Sequence[int] = min(_stretches(word, text), key=lambda each: each[0] - each[-1], default=())
    if not found:
        return None
    tightness = len(word) / (found[0] + 1 - found[-1])
    return Match(tightness, frozenset(found)) if tightness >= TIGHT else None


def _stretches(word: str, text: str) -> Iterator[list[int]]:
    """Where the letters stand, last first: forward to an end, then back to its nearest beginning (as fzf)."""
    start = 0
    while (end := _end(word, text, start)) >= 0:
        positions, at = [], end + 1
        for letter in reversed(word):
            at = text.rfind(letter, 0, at)
            positions.append(at)
        yield positions
        start = at + 1


def _end(word: str, text: str, start: int) -> int:
    """Where the last letter of the first occurrence from `start` on stands; -1 where there is none."""
    at = start - 1
    for letter in word:
        if (at := text.find(letter, at + 1)) < 0:
            return -1
    return at


def _occurrences(word: str, text: str) -> list[int]:
    found, at = [], text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + 1)
    return found


def _lower(text: str) -> str:
    """In lower case, letter for letter: no character becomes two."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
