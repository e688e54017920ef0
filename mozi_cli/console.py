"""Answers and evidence on a terminal, or as plain text in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.text import Text

from mozi_cli import wording
from mozi_engine import quotations
from mozi_engine.answering import Done, Event, EvidenceFound, Searching, Token
from mozi_engine.errors import DataError, MoziError
from mozi_engine.sessions.conversations import Exchange
from mozi_engine.types import Answer, Evidence, Prefill

_CONTEXT = 90  # characters of the passage shown on either side of a quotation

stdout = Console(highlight=False)
stderr = Console(highlight=False, stderr=True)


def show_answer(events: Iterator[Event], model: str) -> Answer:
    """Show an answer as it comes, then whole with its citations; in a pipe, whole."""
    if not stdout.is_terminal:
        answer = wait(events)
        stdout.print(wording.plain(answer), soft_wrap=True, markup=False)
        return answer
    answer = _follow(events)
    stdout.print(_answer(answer))
    seconds = (answer.timings.ttft_ms / 1000, answer.timings.total_ms / 1000)
    stdout.print(Text("\n" + wording.summary(seconds, model), style="dim"))
    return answer


def show_evidence(evidence: Sequence[Evidence]) -> None:
    """Show passages whole, best first."""
    if not stdout.is_terminal:
        stdout.print(wording.ranking(evidence), soft_wrap=True, markup=False)
        return
    for item in evidence:
        stdout.print(Text(f"[{item.rank}] {wording.place(item.passage)}", style="bold cyan"))
        stdout.print(Padding(Text(item.passage.text), (0, 0, 1, 4)))


def show_exchange(exchange: Exchange, *, first: bool) -> None:
    """Show a question that was asked before, and what came of it."""
    heading(" ".join(exchange.question.split()), first=first)
    if exchange.answer and stdout.is_terminal:
        stdout.print(_answer(exchange.answer))
    elif exchange.answer:
        stdout.print(wording.plain(exchange.answer), soft_wrap=True, markup=False)
    elif exchange.text:
        stdout.print(Text(exchange.text), soft_wrap=not stdout.is_terminal)
    if told := wording.ending(exchange):
        stdout.print(Text(f"({told})", style="dim"), soft_wrap=True)


def heading(question: str, *, first: bool) -> None:
    """The question, above its answer."""
    stdout.print(Text(("" if first else "\n") + f"> {question}", style="bold magenta"), soft_wrap=True)


def ask() -> str | None:
    """The next question typed on the terminal; None when the person leaves."""
    with suppress(ImportError):  # not on every platform
        import readline  # noqa: F401  arrow keys and history in input()
    stdout.print()
    try:
        return input("> ")
    except EOFError:
        stdout.print()
        return None
    except KeyboardInterrupt:  # as in a shell: the line is dropped, the session stays
        note("\nCtrl-D leaves")
        return ""


def note(message: str) -> None:
    """Say something about the session, apart from the answers."""
    stderr.print(Text(message, style="dim"), soft_wrap=True)


def warning(message: str) -> None:
    """Say what the person should know before going on."""
    stderr.print(Text(f"! {message}", style="bold yellow"), soft_wrap=True)


def not_kept(refusals: Sequence[DataError]) -> None:
    """Say that an exchange is on the screen only, if the disk refused it."""
    for error in refusals:
        note(wording.not_kept(error))


def failure(error: MoziError) -> None:
    """Say what went wrong, and what to do next."""
    stderr.print(Text(f"mozi: {error.message}", style="red"), soft_wrap=True)
    if error.hint:
        stderr.print(Text(f"  {error.hint}"), soft_wrap=True)


def wait(events: Iterator[Event]) -> Answer:
    """The answer, once it is whole."""
    return next(event.answer for event in events if isinstance(event, Done))


def _follow(events: Iterator[Event]) -> Answer:
    """Show what is happening until the answer is whole; nothing of it stays but the evidence."""
    text = Text()
    with Live(Spinner("dots", "searching"), console=stdout, transient=True) as live:
        for event in events:
            match event:
                case Searching(query):
                    stdout.print(Text(f"searching for: {query}", style="dim"))
                case EvidenceFound(evidence):
                    stdout.print(_ranking(evidence))
                    live.update(text or Spinner("dots", "reading the passages"))
                case Prefill(done, total, _):
                    live.update(Spinner("dots", f"reading the passages, {done * 100 // max(total, 1)}%"))
                case Token(piece):
                    live.update(text.append(piece))
                case Done(answer):
                    return answer
    raise AssertionError("an answer ends with Done")


def _ranking(evidence: Sequence[Evidence]) -> Text:
    lines = []
    for item in evidence:
        line = f"{item.rank}  {wording.place(item.passage)}: {item.passage.text}"
        lines.append("  " + wording.snippet(line, max(20, stdout.width - 3)))
    return Text("\n".join(lines) + "\n", style="dim")


def _answer(answer: Answer) -> RenderableType:
    parts: list[RenderableType] = []
    if answer.verdict == "not_in_paper":
        parts.append(Text(quotations.NOT_IN_PAPER, style="bold yellow"))
        if answer.evidence:
            nearest = answer.evidence[0].passage
            parts.append(Text(f"\nNearest: {wording.place(nearest)}", style="cyan"))
            parts.append(Padding(Text(wording.snippet(nearest.text, 300)), (0, 0, 0, 4)))
    else:
        parts.append(Text(quotations.marked(answer), style="bold"))
        parts += [_quote(quote) for quote in quotations.quotes(answer)]
    parts += [Text(line, style="yellow") for line in quotations.doubts(answer)]
    return Group(*parts)


def _quote(quote: quotations.Quote) -> RenderableType:
    before, middle, after = wording.around(quote, _CONTEXT)
    body = Text.assemble((before, "dim"), (middle, "black on yellow"), (after, "dim"))
    heading = Text(f"\n[{quote.number}] {wording.place(quote.passage)}", style="cyan")
    return Group(heading, Padding(body, (0, 0, 0, 4)))
