"""BLEU and ROUGE of one text against its references: sacrebleu and rouge-score, and what Chinese needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")

Rouge = str  # "rouge1", "rouge2", "rougeL" or "rougeLsum"


class _Words:
    """rouge-score's tokenizer drops all but ASCII; this one has a token for every word and Chinese sign."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def words(text: str) -> list[str]:
    """The text's words in lower case; each Chinese sign is a word of its own."""
    return _WORD.findall(text.lower())


def bleu(prediction: str, references: Sequence[str]) -> float:
    """Sentence BLEU-4 in [0, 1] (sacrebleu: 13a, or zh for Chinese; effective order, smoothed)."""
    scorer = _bleu("zh" if _is_chinese(references) else "13a")
    return min(1.0, float(scorer.sentence_score(prediction, list(references)).score) / 100)


def rouge(prediction: str, references: Sequence[str], kind: Rouge = "rougeLsum") -> float:
    """F1 of the best reference, in [0, 1] (rouge-score, no stemming)."""
    scorer = _rouge(kind, _is_chinese(references))
    return float(scorer.score_multi(list(references), prediction)[kind].fmeasure)


def _is_chinese(texts: Sequence[str]) -> bool:
    return any(map(_HAN.search, texts))


@cache
def _bleu(tokenize: str) -> BLEU:
    return BLEU(effective_order=True, tokenize=tokenize)


@cache
def _rouge(kind: Rouge, chinese: bool) -> RougeScorer:
    return RougeScorer([kind], tokenizer=_Words() if chinese else None)
