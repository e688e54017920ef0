"""What a reply may be, whatever the model writes: short, no lists, one question, no diagnosis, no promises.

Sentences are let through one by one as they are completed, so that what is shown need not be taken back.
"""

from __future__ import annotations

import re

from mozi_engine.prompts import language
from mozi_engine.sentences import sentences

WORDS = 79  # in languages that put spaces between words
CHARACTERS = 149  # in Chinese and Japanese
SENTENCES = 4

_UNSPACED = ("Chinese", "Japanese")
_ITEM = re.compile(
    r"^\s*(?:[-*•·–—]\s+|#+\s*|\(?\d{1,2}[.)、:：](?!\d)\s*|"
    r"[（(]?[一二三四五六七八九十][)）、.．]\s*|[①-⑩]\s*)"
)
_MARKUP = re.compile(r"\*\*|__|`+|^#+\s*|^>\s*")
_ROLE = re.compile(r"^(?:assistant|mozi|companion|reply|回复|回答|墨子|助手)\s*[:：]\s*", re.IGNORECASE)
_ENDS = re.compile(r"[.!?…。！？~～][\"'”’」』）)]*$")
_QUESTION = re.compile(r"[?？][\"'”’」』）)]*$")
_ANNOUNCES = re.compile(r"[:：]$")

_DIAGNOSIS = (
    r"\byou(?:'re| are)?(?: \w+){0,3} (?:have|suffer(?:ing)? from|experiencing|showing(?: signs of)?|are) "
    r"(?:\w+ ){0,2}(?:depress(?:ion|ed|ive)|anxiety disorder|bipolar|ptsd|adhd|a disorder|clinical)",
    r"\b(?:sounds|looks|seems) like (?:you have |you are |you're )?(?:\w+ )?"
    r"(?:depression|depressed|an? \w+ disorder|ptsd|adhd)",
    r"你[^。！？，]{0,6}(?:是|有|得|患)[^。！？，]{0,4}(?:抑郁症|焦虑症|双相|强迫症|障碍|(?:心理|精神)疾病)",
)
_PROMISE = (
    r"\bi (?:can |will )?(?:promise|guarantee|assure)\b",
    r"\b(?:everything|it|things|all)(?:'ll| will| is going to| are going to) (?:\w+ )?"
    r"(?:be (?:fine|ok|okay|alright|all right)|work out|get better|turn out)",
    r"\byou(?:'ll| will) (?:\w+ )?(?:succeed|be fine|get through|make it|overcome|feel better)",
    r"保证|向你承诺|打包票|(?:一切|一定|都|肯定|总)(?:一定|肯定|都)?会(?:好(?:起来|的|转)|过去|"
    r"成功|变好|顺利|没事)",
    r"你(?:一定|肯定)(?:会|能|可以|行)",
)
_A_PERSON = (
    r"\bas (?:an? |your )(?:\w+ )?(?:therapist|counsell?or|psychologist|doctor|human|fellow|person|"
    r"researcher|friend)\b",
    r"\bi(?:'m| am) (?:an? )?(?:\w+ )?(?:human|person|therapist|counsell?or|psychologist|doctor|"
    r"researcher)\b",
    r"\bi(?:'ve| have) (?:also |been (?:there|through)|felt|experienced|gone through)",
    r"\bwhen i was\b|\bi went through\b|\bi(?: too| also)? (?:once )?(?:felt|had) (?:the same|"
    r"this too|similar)",
    r"作为(?:一[个名位])?\w{0,4}(?:咨询师|医生|治疗师|心理|朋友|人类|过来人|研究者|科研人员)",
    r"我(?:也)?是(?:一[个名位])?(?:真人|人类|医生|咨询师|心理|过来人|研究者)",
    r"我(?:也|曾|以前也|当年)(?:曾)?(?:经历|遇到|有过|感到过|体会过)",
)
_THE_PERSON_ITSELF = (  # small models forget who speaks
    r"^i(?:'m| am)? (?:feel(?:ing)?|should|need|must|was|got|want)\b",
    r"\bmy (?:paper|supervisor|advisor|baseline|thesis|experiments?|project)\b",
    r"^我(?:(?:感到|感觉|觉得)(?!.{0,6}你)|应该|必须|需要|真的很|很(?!(?:能?理解|明白|抱歉|遗憾|高兴)))",
    r"^(?:对方|用户|the person|the user)",
    r"因为我|我太|我(?:自己)?的(?:论文|工作|实验|导师|研究|课题)",
    r"\b(?:how|what|where|why) (?:can|should|do|could|am) i\b(?! (?:help|do for))|我(?:该|"
    r"应该)?(?:怎么|如何)(?!帮|陪|才能帮)",
)
_UNKIND = (  # nor that they should agree with what people say of themselves
    r"\byou(?:'re| are) (?:\w+ )?(?:not (?:good|smart|clever|strong) enough|"
    r"(?:an? )?(?:failure|fraud|idiot|loser)|stupid|useless|worthless|weak|the worst)\b(?!\?)",
    r"你(?:就是|真是?|太|很|确实|的确|是个)*(?:没用|差劲?|废物|不够好|不够聪明|失败者|笨|蠢)",
)
_NEVER_SAID = (*_DIAGNOSIS, *_PROMISE, *_A_PERSON, *_THE_PERSON_ITSELF, *_UNKIND)
_FORBIDDEN = re.compile("|".join(_NEVER_SAID), re.IGNORECASE)


class Limited:
    """Lets through of a reply what may be said. `spoken` is the language of the person's message."""

    def __init__(self, spoken: str) -> None:
        self._spoken = spoken
        self._heard = ""
        self._listed = False
        self.text = ""
        self.full = False  # nothing more will be let through: the model may stop

    def feed(self, piece: str) -> str:
        """What of the reply so far is complete and may be said now; "" mostly."""
        self._heard += piece
        spans = sentences(self._heard)
        if len(spans) < 2:
            return ""
        complete, self._heard = self._heard[: spans[-1][0]], self._heard[spans[-1][0] :]
        return self._said(complete)

    def finish(self) -> str:
        """The same, once the model has ended; a sentence it did not end is left out, if not the first."""
        rest, self._heard = self._heard, ""
        if self.text and not (_ENDS.search(rest.strip()) or _ITEM.match(rest)):
            return ""
        return self._said(rest)

    def _said(self, complete: str) -> str:
        before = self.text
        for start, end in sentences(complete):
            if not self.full:
                self._take(complete[start:end])
        return self.text[len(before) :]

    def _take(self, sentence: str) -> None:
        sentence, listed = _flattened(sentence)
        if not sentence or _ANNOUNCES.search(sentence) or _FORBIDDEN.search(sentence):
            return
        if self._is_foreign(sentence) or (listed and self._listed):
            return
        self._listed = self._listed or listed
        if not _ENDS.search(sentence):
            sentence = sentence.rstrip(",;，；、") + ("。" if self._spoken in _UNSPACED else ".")
        joined = self._joined(sentence)
        if self._fits(joined):
            self.text = joined
        else:
            self.full = True
            self.text = self.text or self._shortened(sentence)
        enough = len(sentences(self.text)) >= SENTENCES
        self.full = self.full or enough or bool(_QUESTION.search(sentence))

    def _joined(self, sentence: str) -> str:
        between = " " if self.text and self._spoken not in _UNSPACED else ""
        return f"{self.text}{between}{sentence}"

    def _is_foreign(self, sentence: str) -> bool:
        """Whether it is not in the person's script; a few letters of another are names and terms."""
        return any(map(str.isalpha, sentence)) and language(sentence) != self._spoken

    def _fits(self, text: str) -> bool:
        if self._spoken in _UNSPACED:
            return len(text) <= CHARACTERS
        return len(text.split()) <= WORDS

    def _shortened(self, sentence: str) -> str:
        """As many clauses of a sentence as fit; of a clause that does not, as many words."""
        clauses = re.split(r"(?<=[,;，；、])", sentence)
        while len(clauses) > 1 and not self._fits("".join(clauses)):
            clauses.pop()
        text = "".join(clauses)
        if self._fits(text):
            return text.rstrip(" ,;，；、") + ("。" if self._spoken in _UNSPACED else ".")
        if self._spoken in _UNSPACED:
            return text[: CHARACTERS - 1] + "…"
        return " ".join(text.split()[:WORDS]) + "…"


def _flattened(sentence: str) -> tuple[str, bool]:
    """The sentence on one line without markup, and whether it was an item of a list."""
    text = _ROLE.sub("", " ".join(sentence.split()))
    item = _ITEM.match(text)
    while found := _ITEM.match(text):
        text = text[found.end() :]
    return _MARKUP.sub("", text).strip(), bool(item)
