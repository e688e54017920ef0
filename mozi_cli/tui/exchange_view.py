"""A question and its answer, as far as it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from mozi_cli import wording
from mozi_engine import quotations
from mozi_engine.types import Answer, Evidence, Turn

if TYPE_CHECKING:
    from textual.widgets import Markdown
    from textual.widgets.markdown import MarkdownStream

    from mozi_engine.sessions.conversations import Exchange, Mode

Progress = Literal["waiting", "answering", "answered", "stopped", "failed"]
_LINK = "cite:"
_QUOTED = 160  # characters of a quotation that are shown


class Sources(Static):
    """What an answer cites, a line or two each, and what to doubt of it."""

    @dataclass
    class Followed(Message):
        """The number of a citation was clicked."""

        number: int

    def show(self, answer: Answer) -> None:
        """The sources of this answer."""
        refused = answer.verdict == "not_in_paper"
        told = [Content.styled(_nearest(item), "$text-muted") for item in answer.evidence[:1] if refused]
        told += map(_source, quotations.quotes(answer))
        told += (Content.styled(line, "$text-warning") for line in quotations.doubts(answer))
        self.update(Content("\n").join(told))

    def action_cite(self, number: int) -> None:
        """Say which citation is wanted."""
        self.post_message(self.Followed(number))


class ExchangeView(Vertical):
    """Shows one exchange. `number` tells it from the others; `answer` is there once it is whole."""

    @dataclass
    class Cited(Message):
        """Someone wants to see the place that a citation of this answer names; numbers count from 1."""

        view: ExchangeView
        citation: int

    def __init__(self, number: int, question: str, mode: Mode) -> None:
        super().__init__(classes=f"exchange {mode}")
        self.number, self.question, self.mode = number, question, mode
        self.progress: Progress = "waiting"
        self.answer: Answer | None = None
        self.evidence: tuple[Evidence, ...] = ()
        self.text = ""
        self._note = ""
        self._stream: MarkdownStream | None = None

    @classmethod
    def of(cls, number: int, exchange: Exchange) -> ExchangeView:
        """An exchange that was kept."""
        view = cls(number, exchange.question, exchange.mode)
        view.progress = "stopped" if exchange.state == "pending" else exchange.state
        view.text, view.answer = exchange.text, exchange.answer
        view.evidence = exchange.answer.evidence if exchange.answer else ()
        view._note = _ending(view.progress, exchange.detail)
        return view

    def compose(self) -> ComposeResult:
        """The question, what is going on, the answer, and what to know about it."""
        yield Static(Content(self.question), classes="question")
        yield Static(Content(self._note), classes="note")
        yield Sources()

    async def on_mount(self) -> None:
        """Draw what there already is."""
        self._set_note(self._note)
        if self.answer:
            await self._draw_answer(self.answer)
        elif self.text:
            await self._draw(self.text)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What a following question builds on: nothing, unless this one was answered."""
        if self.progress != "answered":
            return ()
        return Turn("user", self.question), Turn("assistant", self.text)

    def tell(self, note: str) -> None:
        """What is going on with the question."""
        self._set_note(note)

    async def write(self, piece: str) -> None:
        """The next piece of the answer."""
        from textual.widgets import Markdown

        if self.progress == "waiting":
            self.progress = "answering"
            self._set_note("")
        self.text += piece
        if self._stream is None:
            self._stream = Markdown.get_stream(await self._markdown())
        await self._stream.write(piece)

    async def finish(self, answer: Answer) -> None:
        """The whole answer, checked."""
        await self._end_stream()
        self.progress, self.text, self.answer = "answered", answer.text, answer
        self.evidence = answer.evidence
        self._set_note("")
        await self._draw_answer(answer)

    async def settle(self, text: str) -> None:
        """The whole reply of the companion."""
        await self._end_stream()
        self.progress, self.text = "answered", text
        self._set_note("")
        await self._draw(text)

    async def end(self, progress: Literal["stopped", "failed"], detail: str = "") -> None:
        """No more comes; what came stays."""
        await self._end_stream()
        self.progress = progress
        self._set_note(_ending(progress, detail))

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        """Follow a citation; other links are the model's, and are not opened."""
        event.stop()
        event.prevent_default()
        if event.href.startswith(_LINK):
            self.post_message(self.Cited(self, int(event.href.removeprefix(_LINK))))

    def on_sources_followed(self, event: Sources.Followed) -> None:
        """Ask for the place that a citation names."""
        event.stop()
        self.post_message(self.Cited(self, event.number))

    async def _end_stream(self) -> None:
        if self._stream:
            await self._stream.stop()
            self._stream = None

    async def _draw(self, text: str) -> None:
        await (await self._markdown()).update(text)

    async def _markdown(self) -> Markdown:
        # Here, so that Markdown is not waited for before there is an answer.
        from textual.widgets import Markdown

        from mozi_cli.tui import markup

        for shown in self.query(Markdown):
            return shown
        shown = Markdown(parser_factory=markup.parser, open_links=False)
        await self.mount(shown, before=self.query_one(Sources))
        return shown

    async def _draw_answer(self, answer: Answer) -> None:
        """The answer with its marks, its sources a line each, and what to doubt."""
        if answer.verdict == "not_in_paper":
            await self._draw(f"**{quotations.NOT_IN_PAPER}**")
        else:
            await self._draw(quotations.marked(answer, lambda number: f"[\\[{number}\\]]({_LINK}{number})"))
        self.query_one(Sources).show(answer)

    def _set_note(self, note: str) -> None:
        self._note = note
        line = self.query_one(".note", Static)
        line.update(Content(note))
        line.display = bool(note)
        self.set_class(self.progress == "failed", "-failed")


def _ending(progress: Progress, detail: str) -> str:
    told = {"stopped": "■ stopped", "failed": f"✗ {detail}"}
    return told.get(progress, "")


def _source(quote: quotations.Quote) -> Content:
    mark = Content.from_markup(f"[@click=cite({quote.number})]\\[{quote.number}][/]")
    told = f" {wording.place(quote.passage)}: “{wording.snippet(quote.text, _QUOTED)}”"
    return mark + Content.styled(told, "$text-muted")


def _nearest(item: Evidence) -> str:
    return f"nearest: {wording.place(item.passage)}"
