"""How an answer, its citations and its doubts are put into words, whatever they are shown on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mozi_engine.files import size
from mozi_engine.quotations import NOT_IN_PAPER, Quote, doubts, marked, quotes
from mozi_engine.types import Answer, Evidence, Passage

if TYPE_CHECKING:  # the full screen waits for these words before its first paint
    from mozi_engine.errors import DataError, MoziError
    from mozi_engine.models.catalog_file import ModelSpec
    from mozi_engine.reading import Reading
    from mozi_engine.sessions.conversations import Conversation, Exchange, PaperRef, Session, Summary

NOT_KEPT = "this conversation is not kept"
FROM_PASSAGES = "answered from passages; with --whole, the model reads the whole paper first"


def place(passage: Passage) -> str:
    """Where a passage stands, in a few words: "page 3, 2.1 Node Types (table)"."""
    kind = f" ({passage.kind})" if passage.kind in ("table", "caption", "footnote") else ""
    return f"page {passage.page}" + (f", {passage.section}" if passage.section else "") + kind


def plain(answer: Answer) -> str:
    """The answer and what it cites as text without colours, for a pipe."""
    if answer.verdict == "not_in_paper":
        lines = [NOT_IN_PAPER]
        if answer.evidence:
            nearest = answer.evidence[0].passage
            lines += ["", f"Nearest: {place(nearest)}", _indented(nearest.text)]
        return "\n".join(lines)
    lines = [marked(answer)]
    for quote in quotes(answer):
        lines += ["", f"[{quote.number}] {place(quote.passage)}", _indented(f'"{quote.text}"')]
    return "\n".join(lines + [""] * bool(doubts(answer)) + doubts(answer))


def ranking(evidence: Sequence[Evidence]) -> str:
    """Passages whole, best first, as text."""
    return "\n\n".join(
        f"[{item.rank}] {place(item.passage)}\n{_indented(item.passage.text)}" for item in evidence
    )


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


def snippet(text: str, width: int) -> str:
    """One line of the text's beginning, at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def around(quote: Quote, width: int) -> tuple[str, str, str]:
    """The quotation with up to `width` characters of its passage before and after, for context."""
    text = quote.passage.text
    before, after = text[max(0, quote.start - width) : quote.start], text[quote.end : quote.end + width]
    if quote.start > width:
        before = "…" + before.partition(" ")[2]
    if quote.end + width < len(text):
        after = after.rpartition(" ")[0] + "…"
    return before, quote.text, after


def summary(seconds: Sequence[float], model: str) -> str:
    """How long it took: seconds to the first word, and in all."""
    first, total = seconds
    return f"{total:.1f} s, first word after {first:.1f} s, {model}"


def not_read(scanned: Sequence[int]) -> str:
    """Which pages are pictures, and what would read them."""
    from mozi_engine.paper.page import spell

    return f"not read: {spell(scanned)} (scans without text); pip install 'rapidocr>=3.9' lets mozi read them"


def fetching(spec: ModelSpec) -> str:
    """What is about to be downloaded, once."""
    told = ", ".join(filter(None, (size(spec.bytes) if spec.bytes else "", spec.licence)))
    return f"fetching {spec.title} once" + (f" ({told})" if told else "")


def left_out(titles: Sequence[str]) -> str:
    """What of a long paper the model does not read; text before any heading has no title."""
    named = ", ".join(title or "what comes before the first heading" for title in titles)
    return f"longer than the context; known from passages only: {named}"


def leaves(host: str) -> str:
    """That the companion's model is another machine's."""
    return f"The model runs on {host}: what you write here leaves this machine, and is no longer private."


def served(address: str, *, keyed: bool, papers: int) -> str:
    """Where a server listens, and what to try."""
    header = " -H 'Authorization: Bearer KEY'" if keyed else ""
    first = '/ask -d \'{"question": "What data do they use?"}\'' if papers == 1 else "/papers"
    lines = [
        f"listening on {address}; Ctrl-C ends it",
        f"  curl {address}/{header}",
        f"  curl {address}{first}{header}",
    ]
    if keyed:
        lines.append("Who has the key is let in. What is sent is not encrypted: put TLS in front of it.")
    return "\n".join(lines)


def read_so_far(reading: Reading, failure: MoziError | None, pages: int) -> str:
    """How far the model is, while answers still come from passages."""
    if failure:
        return f"answered from passages; the model stopped reading: {failure.message}"
    page = reading.beginning.page(reading.reached)
    return f"answered from passages; the model is reading page {page} of {pages}"


def remembered(title: str) -> str:
    """That a paper need not be read again."""
    return f"read and remembered: {title}"


def about(session: Session) -> str:
    """What a conversation is about, with whom, since when."""
    name = session.paper.name if session.paper else "no paper"
    told = (session.id, f"{session.created.astimezone():%Y-%m-%d %H:%M}", session.model)
    return f"{name}\n{', '.join(filter(None, told))}"


def row(summary: Summary) -> tuple[str, str, str, str, str]:
    """A conversation in a list: enough of its id, when it was last used, questions, paper, last question."""
    session = summary.session
    name = session.paper.name if session.paper else "support" if session.mode == "support" else "no paper"
    question = " ".join(summary.question.split())
    return (
        session.id[:8],
        f"{session.updated.astimezone():%Y-%m-%d %H:%M}",
        str(summary.count),
        name,
        question,
    )


def ending(exchange: Exchange) -> str:
    """How an exchange ended that was not answered; "" for one that was."""
    if exchange.state == "failed":
        return f"failed: {exchange.detail}"
    return "" if exchange.state == "answered" else "stopped"


def not_kept(error: DataError) -> str:
    """That an exchange is on the screen only, and why."""
    return f"not kept: {error.message}" + (f" ({error.hint})" if error.hint else "")


def goes_on(conversation: Conversation, paper: PaperRef) -> str:
    """That a conversation goes on, and whether its paper is still the same."""
    count = len(conversation.exchanges)
    told = f"going on after {count} question" + "s" * (count != 1)
    before = conversation.session.paper
    same = before is None or before.id == paper.id
    return told if same else f"{told}; the paper has changed since"


# What the full screen says of a question on its way, and before the first one

WAITING_FOR_PAPER = "answered as soon as the paper is read"
WAITING_FOR_MODEL = "answered as soon as the model is there"
WAITING_FOR_ANSWER = "answered after the question before it"
SEARCHING = "searching"
LISTENING = "listening"
STOPPING = "stopping"


def searching_for(query: str) -> str:
    """What is searched for, where that is not the question itself."""
    return f"searching for: {query}"


def prompt_read(done: int, total: int) -> str:
    """How far the model is with the prompt; of a model that is still loading, nothing is known."""
    return f"reading, {done * 100 // total}%" if total else WAITING_FOR_MODEL


def opening(reference: str) -> str:
    """What is being opened."""
    return f"Opening {reference}. You can ask already."


def opened(title: str) -> str:
    """What a conversation begins with."""
    return f"{title}\n\nAsk away: each answer shows where in the paper it stands."


def reference(quote: Quote, title: str) -> str:
    """A quotation with where it stands, to be pasted into a text of one's own."""
    section = f", {quote.passage.section}" if quote.passage.section else ""
    return f"“{quote.text}” ({title}, p. {quote.page}{section})"
