"""Where the sentences of a text begin and end."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？…]+[”’」』）】\"']*|\n+")
_TOKEN = re.compile(r"\S+$")
_ABBREVIATIONS = frozenset(
    "al. approx. ca. cf. dept. dr. e.g. eq. eqn. eqns. eqs. est. fig. figs. i.e. incl. mr. mrs. ms. prof. "
    "prop. ref. refs. resp. sec. secs. sect. st. tab. thm. univ. viz. vs. w.r.t.".split()
)
_BEFORE_A_NUMBER = frozenset("app. ch. no. nos. p. pp. vol.".split())
_INITIAL = re.compile(r"[A-Z]\.(?:-?[A-Z]\.)*")
_NUMBER = re.compile(r"\(?(?:\d{1,3}|[ivx]{1,4}|[a-z])[.)]\.?")


def sentences(text: str) -> list[tuple[int, int]]:
    """Character ranges of the sentences, in order; only white space lies between them.

    A line break ends a sentence, and so does 。！？; a full stop does before anything but a small
    letter, unless it belongs to an abbreviation, an initial, or the number of a list item.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for end in _END.finditer(text):
        if _ends(text, start, end):
            found.append((start, end.end()))
            start = end.end()
    found.append((start, len(text)))
    return [stripped for a, b in found if (stripped := _strip(text, a, b))]


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    if mark[0][0] in "\n。！？" or not text[mark.end() :].strip():
        return True
    following = text[mark.end() :].lstrip()[0]
    if following.islower() or following in ",;:)":
        return False
    if mark[0][0] != ".":
        return True
    token = _TOKEN.search(text, start, mark.start() + 1)
    last = token[0].lstrip("([\"'“‘") if token else ""
    abbreviated = last.casefold() in _ABBREVIATIONS or _INITIAL.fullmatch(last)
    if abbreviated or (last.casefold() in _BEFORE_A_NUMBER and following.isdigit()):
        return False
    return not (_NUMBER.fullmatch(last) and not text[start : token.start() if token else start].strip())


def _strip(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None
