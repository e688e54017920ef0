"""Fuzzy matching of a few words against many titles, in time linear in the title.

Textual's own tries every way to lay the letters out, which takes seconds for a title of a hundred letters.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """The letters in their order: forward to the first end, then back to the last beginning (fzf's v1)."""
    end = -1
    for letter in word:
        if (end := text.find(letter, end + 1)) < 0:
            return None
    positions, at = [], end + 1
    for letter in reversed(word):
        at = text.rfind(letter, 0, at)
        positions.append(at)
    return Match(len(word) / (end + 1 - at), frozenset(positions))


def _occurrences(word: str, text: str) -> list[int]:
    found, at = [], text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + 1)
    return found


def _lower(text: str) -> str:
    """In lower case, letter for letter: no character becomes two."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
