"""From a question to its answer: one stream of events that every front end shows in its own way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from collections.abc import Generator as EventStream
from contextlib import closing
from dataclasses import dataclass, replace

from mozi_engine import prompts, questions
from mozi_engine.citations import Alignment, Encode, cite
from mozi_engine.retrieval import select
from mozi_engine.sentences import sentences
from mozi_engine.types import (
    Answer,
    Citation,
    Evidence,
    GenerationSettings,
    Generator,
    Paper,
    Passage,
    Prefill,
    Retriever,
    Source,
    Timings,
    Turn,
    Usage,
    Verdict,
    milliseconds_since,
)

# What a model says, in so many words, when the passages do not hold the answer.
_REFUSAL = re.compile(
    r"\bnot (?:\w+ )?in the (?:given |provided )?(?:paper|passages?|text|context)\b"
    r"|\b(?:paper|passages?|text|context|authors?) (?:do|does|did)(?: not|n't) (?:\w+ ){0,2}?"
    r"(?:mention|specify|state|provide|say|contain|give|describe|discuss|include|report)\b"
    r"|\b(?:is|are|was|were)(?: not|n't) (?:\w+ )?(?:mentioned|specified|stated|provided|reported)\b"
    r"|\bthere is no (?:mention|information)\b"
    r"|\bunanswerable\b|\bcannot be (?:answered|determined)\b"
    r"|(?:没有|未|并未|沒有)(?:明确)?(?:提及|提到|说明|給出|给出|提供|涉及|包含)|不在(?:论文|文)中",
    re.IGNORECASE,
)
_UNRELATED = 0.2  # an answer supported less than this does not come from the evidence
_QUERY_TOKENS = 48
_HISTORY = 3000  # characters of conversation that a prompt about the whole paper repeats at the most
_REMEMBERED_TURNS = 2  # the last exchange is enough to understand "and the second one?"


@dataclass(frozen=True, slots=True)
class Searching:
    """What is searched for, where that is not the question itself."""

    query: str


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The passages that bear on the question, best first."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer, checked against the evidence. The last event."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class _Found:
    query: str
    evidence: tuple[Evidence, ...] = ()
    milliseconds: float = 0.0  # that the search took, without the rewording


Event = Searching | EvidenceFound | Prefill | Token | Done


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers questions about one paper.

    `encode` embeds texts for citations; without it they are aligned by their words alone. Answers come
    from the whole paper where there is a `beginning`, which the generator has read; else from its `opening`
    and as many `passages`. `abridged` says that the beginning leaves out a part of the paper.
    """

    paper: Paper
    retriever: Retriever
    generator: Generator
    encode: Encode | None
    passages: int
    settings: GenerationSettings
    beginning: tuple[Turn, Turn] | None = None
    abridged: bool = False
    opening: tuple[Passage, ...] = ()

    def answer(self, question: str, history: Sequence[Turn] = ()) -> EventStream[Event, None, None]:
        """Events as they happen, Done last. Closing the iterator stops the generation.

        What is searched comes before the answer, but where the model would have to reword the question first
        and knows the whole paper anyway: then the answer is not kept waiting. `history` is the conversation
        so far, oldest first. Raises QuestionError, ModelError, ServerError.
        """
        started = time.perf_counter()
        question = questions.check(question)
        later = self._whole and not self._stands_alone(question, history)
        found = _Found(question)
        if not later:
            found = yield from self._search(question, history)
        prompt = self._prompt(question, found.query, found.evidence, history)
        text, timings = yield from self._generate(prompt, started)
        if later:
            found = yield from self._search(question, history)
        answer = self._checked(text, found.query, found.evidence)
        timings = replace(timings, search_ms=found.milliseconds, total_ms=milliseconds_since(started))
        yield Done(replace(answer, timings=timings))

    def expected(self, draft: str, history: Sequence[Turn] = ()) -> Sequence[Turn]:
        """The prompt that `draft` would be answered by, were it asked; none where only the model can tell.

        What is written on continues its last turn, as long as the search finds the same. Behind a draft that
        ends as questions do, an answer of no words has begun.
        """
        question = " ".join(draft.split())
        if not question or not (self._whole or self._stands_alone(question, history)):
            return ()
        evidence = () if self._whole else self.retriever.search(question, self.passages)
        prompt = self._prompt(question, question, evidence, history)
        return (*prompt, Turn("assistant", "")) if questions.asked_out(question) else prompt

    @property
    def _whole(self) -> bool:
        """Whether the prompt holds all of the paper, and no passages."""
        return self.beginning is not None and not self.abridged

    @property
    def _spoken(self) -> str:
        """The paper's language."""
        return prompts.language(self.paper.abstract or self.paper.title)

    def _stands_alone(self, question: str, history: Sequence[Turn]) -> bool:
        # Where no passage is in the prompt, the answer's own words find what a follow-up is about.
        follows = bool(history) and not self._whole
        return not questions.needs_rewriting(question, is_follow_up=follows, paper_language=self._spoken)

    def _search(self, question: str, history: Sequence[Turn]) -> EventStream[Event, None, _Found]:
        query = self._standalone(question, history[-_REMEMBERED_TURNS:])
        if query != question:
            yield Searching(query)
        began = time.perf_counter()
        evidence = tuple(self.retriever.search(query, self.passages))
        took = milliseconds_since(began)
        yield EvidenceFound(evidence)
        return _Found(query, evidence, took)

    def _standalone(self, question: str, history: Sequence[Turn]) -> str:
        if self._stands_alone(question, history):
            return question
        prompt = prompts.render_standalone(history, question, self._spoken or "English")
        settings = replace(self.settings, temperature=0.0, max_new_tokens=_QUERY_TOKENS)
        with closing(self.generator.stream(prompt, settings)) as pieces:
            rewritten = "".join(piece for piece in pieces if isinstance(piece, str))
        return rewritten.strip().partition("\n")[0].strip() or question

    def _prompt(
        self, question: str, query: str, evidence: Sequence[Evidence], history: Sequence[Turn]
    ) -> Sequence[Turn]:
        if self.beginning:
            beyond = evidence if self.abridged else ()
            return prompts.render_whole(self.beginning, question, _recent(history), beyond)
        standalone = query if query != question else ""
        return prompts.render(self.paper.title, evidence, question, standalone, self.opening)

    def _generate(
        self, prompt: Sequence[Turn], started: float
    ) -> EventStream[Event, None, tuple[str, Timings]]:
        text, timings = "", Timings()
        with closing(self.generator.stream(prompt, self.settings)) as pieces:
            for piece in pieces:
                match piece:
                    case Usage(read, written):
                        timings = replace(timings, prompt_tokens=read, completion_tokens=written)
                    case Prefill():
                        yield piece
                    case str():
                        if not text:
                            timings = replace(timings, ttft_ms=milliseconds_since(started))
                        text += piece
                        yield Token(piece)
        return text.strip(), timings

    def _checked(self, text: str, query: str, evidence: tuple[Evidence, ...]) -> Answer:
        """Align the answer, also with what was read besides the evidence.

        Of the whole paper, that is what the answer itself leads to.
        """
        if self.beginning:
            candidates = _joined(evidence, self.retriever.search(f"{query} {text}", self.passages))
        else:
            candidates = _joined(evidence, [Evidence(passage, 0.0, 0) for passage in self.opening])

        def quoted(citation: Citation) -> str:
            return candidates[citation.evidence].passage.text[citation.start : citation.end]

        alignment = cite(text, query, candidates, self.encode)
        verdict, claims = _verdict(text, alignment, quoted, doubtful=select.doubtful(evidence))
        cited = {citation.evidence for citation in claims.citations}
        kept = [i for i in range(len(candidates)) if i < len(evidence) or i in cited]
        citations = tuple(replace(c, evidence=kept.index(c.evidence)) for c in claims.citations)
        shown = tuple(candidates[i] for i in kept)
        source: Source = "paper" if self.beginning else "passages"
        return Answer(text, verdict, shown, citations, claims.uncited, claims.unverified, Timings(), source)


def _recent(history: Sequence[Turn]) -> Sequence[Turn]:
    """The end of the conversation, as whole exchanges.

    It loses half at a time when it grows too long: a prompt that dropped one exchange a question would have
    nothing in common with the one before it.
    """
    start = size = 0
    for end in range(0, len(history), 2):
        size += sum(len(turn.text) for turn in history[end : end + 2])
        if size > _HISTORY:
            while size > _HISTORY // 2 and start < end:
                size -= sum(len(turn.text) for turn in history[start : start + 2])
                start += 2
    return history[start:]


def _joined(evidence: tuple[Evidence, ...], more: Sequence[Evidence]) -> tuple[Evidence, ...]:
    known = {item.passage.index for item in evidence}
    new = [item for item in more if item.passage.index not in known]
    return evidence + tuple(
        replace(item, rank=rank) for rank, item in enumerate(new, start=len(evidence) + 1)
    )


def _verdict(
    text: str, alignment: Alignment, quoted: Callable[[Citation], str], *, doubtful: bool
) -> tuple[Verdict, Alignment]:
    """Decide the verdict: what is refused, or has nothing to do with the evidence, is not in the paper.

    Nor is what nothing supports when the search doubts that the paper answers. A refusal claims nothing: it
    is neither cited nor left uncited. What sounds like one, but is the paper's own words, is none.
    """
    said = {c.sentence for c in alignment.citations if _REFUSAL.search(quoted(c))}
    refused = {s for s in sentences(text) if s not in said and _REFUSAL.search(text[slice(*s)])}
    citations = tuple(c for c in alignment.citations if c.sentence not in refused)
    uncited = tuple(span for span in alignment.uncited if span not in refused)
    claims = replace(alignment, citations=citations, uncited=uncited)
    if not citations and (refused or doubtful or alignment.support < _UNRELATED):
        return "not_in_paper", claims
    return ("partial" if uncited or refused else "answered"), claims
