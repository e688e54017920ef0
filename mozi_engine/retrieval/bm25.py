"""Lexical search: BM25 over words, and over character bigrams where words are not spaced."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from mozi_engine.types import Evidence, Passage

_K1, _B = 0.9, 0.4  # Anserini's defaults for passages (Yang et al., 2017)
_HAN_KANA = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:[.,]\d+)+)"
    rf"|(?P<unspaced>[{_HAN_KANA}]+)"
    rf"|(?P<word>[^\W_{_HAN_KANA}]+(?:[-'][^\W_{_HAN_KANA}]+)*)"
)
_UNSPACED = re.compile(rf"[{_HAN_KANA}]")
_SPACED = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:[-'][^\W_]+)*")
_DASHES = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2019": "'", "\u00ad": None})


def terms(text: str) -> list[str]:
    """The index terms of a text, in reading order, repeats kept.

    Words lose case and a plural or possessive "s". A hyphenated word gives itself joined, then its
    parts ("BERT-base": bertbase, bert, base), so that it meets either spelling. Numbers stay whole.
    Chinese and Japanese give character bigrams, a lone character itself.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_DASHES)
    found: list[str] = []
    if not _UNSPACED.search(folded):  # as in most papers, and sooner found
        for word in _SPACED.findall(folded):
            found.extend((word.replace(",", ""),) if "." in word or "," in word else _words(word))
        return found
    for token in _TOKEN.finditer(folded):
        if token.lastgroup == "number":
            found.append(token[0].replace(",", ""))
        elif token.lastgroup == "unspaced":
            found.extend(_bigrams(token[0]))
        else:
            found.extend(_words(token[0]))
    return found


def _bigrams(run: str) -> list[str]:
    return [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]


@lru_cache(maxsize=1 << 16)  # a corpus says few words many times
def _words(token: str) -> tuple[str, ...]:
    parts = [part for part in token.removesuffix("'s").replace("'", "").split("-") if part]
    whole = [singular("".join(parts))] if len(parts) > 1 else []
    return (*whole, *(singular(part) for part in parts))


def singular(word: str) -> str:
    """The word without an English plural ending: the S stemmer (Harman, 1991), on 4 letters and up."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("us", "ss")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]


# What a question is asked with. One paper is too small a corpus for idf to find these common by itself:
# "how" or "what" is rare in most papers, and would weigh like a name.
_ASKING = frozenset(
    terms(
        "a an and are as at be by can did do does for from had has have how in is it its of on or our that"
        " the their them these they this those to use used using was we were what when where which who"
        " why will with"
    )
)


def _asked(query: str) -> list[str]:
    """The terms that a question is about; all of them where it has no other."""
    asked = terms(query)
    return [term for term in asked if term not in _ASKING] or asked


class _Okapi(BM25Okapi):  # type: ignore[misc]
    """Okapi with Lucene's idf, ln(1 + (N - n + 0.5) / (n + 0.5)).

    The original idf is negative for a term in more than half the passages, and the library's floor for
    it, a quarter of the mean idf, is itself negative in a paper of a few passages.
    """

    def _calc_idf(self, nd: Mapping[str, int]) -> None:
        self.idf = {t: math.log1p((self.corpus_size - n + 0.5) / (n + 0.5)) for t, n in nd.items()}


class Bm25:
    """A paper's passages, searchable by their words; a section's title counts as words of its passages."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = tuple(passages)
        documents = [terms(f"{p.section}\n{p.text}") for p in self._passages]
        self._okapi = _Okapi(documents, k1=_K1, b=_B) if any(documents) else None

    def scores(self, query: str) -> NDArray[np.float64]:
        """The BM25 score of every passage, in the order given; 0 where no term is shared."""
        words = _asked(query)
        if self._okapi is None or not words:
            return np.zeros(len(self._passages))
        return np.asarray(self._okapi.get_scores(words), dtype=np.float64)

    def coverage(self, query: str) -> NDArray[np.float64]:
        """The share of the query's terms that every passage has, in the order given; 0 of no terms."""
        words = {*_asked(query)}
        if self._okapi is None or not words:
            return np.zeros(len(self._passages))
        return np.array([len(words & has.keys()) / len(words) for has in self._okapi.doc_freqs])

    def search(self, query: str, k: int) -> list[Evidence]:
        """The `k` best passages that share a term with the query, best first; ties in paper order."""
        scores = self.scores(query)
        best = np.argsort(-scores, kind="stable")[:k]
        return [
            Evidence(self._passages[i], float(scores[i]), rank)
            for rank, i in enumerate(best, start=1)
            if scores[i] > 0
        ]
