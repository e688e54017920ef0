"""A conversation as a document: Markdown to read, JSON for programs, BibTeX to cite."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Literal

from mozi_engine.errors import DataError
from mozi_engine.quotations import NOT_IN_PAPER, Quote, doubts, marked, quotes
from mozi_engine.sessions.conversations import Conversation, Exchange, PaperRef, Session
from mozi_engine.sessions.records import conversation_record

Format = Literal["md", "json", "bib"]

_NO_AUTHORS = "% The authors are to be added: a PDF does not tell them reliably."  # BibTeX skips it
_ARXIV = re.compile(r"(?:arxiv:|arxiv\.org/(?:pdf|abs)/)([\w.-]+(?:/\d{7})?(?:v\d+)?)", re.IGNORECASE)
_ARXIV_YEAR = re.compile(r"(?:.*/)?(\d\d)(\d\d)")
_DOI = re.compile(r"doi\.org/(10\.\d{4,9}/\S+)", re.IGNORECASE)
_UNSAFE_IN_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # \{ would still count when BibTeX matches braces
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "%$&#_"},
}
_IN_LATEX = str.maketrans(_UNSAFE_IN_LATEX)
_IN_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_<>[]#|~$"})


def markdown(conversation: Conversation) -> str:
    """Questions, answers with their marks, and what they quote, with page and section."""
    shown = (
        _about_the_paper(exchange) if exchange.mode == "paper" else _in_support(exchange)
        for exchange in conversation.exchanges
    )
    return "\n\n".join([_title(conversation.session), *shown]) + "\n"


def bibtex(conversation: Conversation) -> str:
    """An entry for the paper, from what its reference tells, with the quotations in its note.

    It names no authors: most PDFs do not tell them apart from the rest of their first page, some tell wrong
    ones in their metadata, and a wrong author is worse than one to be added. The first line says so.

    Raises DataError when the conversation is about no paper.
    """
    paper = conversation.session.paper
    if paper is None:
        raise DataError("this conversation is about no paper", hint="export it as md or json")
    fields = {"title": f"{{{_latex(paper.name)}}}", **_identifiers(paper.reference)}
    if note := _note(conversation.exchanges):
        fields["note"] = note
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([_NO_AUTHORS, f"@misc{{{_key(paper)},", *lines, "}"]) + "\n"


WRITERS: Mapping[Format, Callable[[Conversation], str]] = {
    "md": markdown,
    "json": conversation_record,
    "bib": bibtex,
}


def _title(session: Session) -> str:
    name = _markdown(session.paper.name) if session.paper else "A conversation"
    facts = [f"{session.created:%Y-%m-%d}"]
    if session.paper:
        facts = [f"`{session.paper.reference}`", f"{session.paper.pages} pages", *facts]
    return f"# {name}\n\n{', '.join([*facts, session.model] if session.model else facts)}"


def _about_the_paper(exchange: Exchange) -> str:
    parts = [f"## {_markdown(exchange.question)}"]
    answer = exchange.answer
    if answer is None:
        parts.append(exchange.text)
    elif answer.verdict == "not_in_paper":
        parts.append(NOT_IN_PAPER)
    else:
        parts.append(marked(answer))
        parts += map(_quotation, quotes(answer))
        parts += (f"*{_markdown(line)}*" for line in doubts(answer))
    return "\n\n".join(filter(None, [*parts, _ending(exchange)]))


def _in_support(exchange: Exchange) -> str:
    said = textwrap.indent(exchange.question, "> ", lambda _: True)
    return "\n\n".join(filter(None, [said, exchange.text, _ending(exchange)]))


def _quotation(quote: Quote) -> str:
    place = f"page {quote.page}" + (f", {_markdown(quote.passage.section)}" if quote.passage.section else "")
    return f"> [{quote.number}] “{_markdown(quote.text)}”\n>\n> {place}"


def _ending(exchange: Exchange) -> str:
    if exchange.state == "failed":
        return f"*failed: {_markdown(exchange.detail)}*"
    return "" if exchange.state == "answered" else "*stopped*"


def _identifiers(reference: str) -> dict[str, str]:
    """What a reference says of a publication; of a file on this disk, nothing but its name."""
    if found := _ARXIV.search(reference):
        identity = found[1].removesuffix(".pdf")
        year = {"year": _year(identity)} if _ARXIV_YEAR.match(identity) else {}
        url = f"https://arxiv.org/abs/{identity}"
        return {**year, "eprint": identity, "archiveprefix": "arXiv", "url": url}
    if not reference.casefold().startswith(("http://", "https://")):
        return {"howpublished": _latex(PureWindowsPath(reference).name)}
    doi = _DOI.search(reference)
    return ({"doi": doi[1]} if doi else {}) | {"url": reference.translate({123: "%7B", 125: "%7D"})}


def _year(arxiv: str) -> str:
    """The year in an arXiv id: 1805.02262, cs/0112017. Ids begin in 1991."""
    found = _ARXIV_YEAR.match(arxiv)
    two = found[1] if found else ""
    return f"{'19' if two >= '91' else '20'}{two}"


def _note(exchanges: Iterable[Exchange]) -> str:
    found = (
        f"``{_latex(quote.text)}'' ({_place(quote)})"
        for exchange in exchanges
        if exchange.answer
        for quote in quotes(exchange.answer)
    )
    return "; ".join(dict.fromkeys(found))


def _place(quote: Quote) -> str:
    return f"p. {quote.page}" + (f", {_latex(quote.passage.section)}" if quote.passage.section else "")


def _key(paper: PaperRef) -> str:
    """A citation key: the first long word of the title, or the file's name, and the start of its sha256."""
    words = re.findall(r"[a-z]{4,}", paper.name.casefold())
    return f"{words[0] if words else 'paper'}-{paper.id[:6]}"


def _latex(text: str) -> str:
    return " ".join(text.split()).translate(_IN_LATEX)


def _markdown(text: str) -> str:
    """One line of text in which no sign has a meaning to Markdown."""
    return " ".join(text.split()).translate(_IN_MARKDOWN)
