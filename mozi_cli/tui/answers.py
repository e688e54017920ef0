"""What threads tell of the answer under way, shown in its exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from mozi_cli import wording

if TYPE_CHECKING:
    from mozi_cli.tui import messages
    from mozi_cli.tui.chat_screen import ChatScreen
    from mozi_cli.tui.exchange_view import ExchangeView
    from mozi_cli.tui.line import Line


class Answers(App[None]):
    """An app that answers: each message finds the exchange it is about, if that still stands there."""

    chat: ChatScreen
    line: Line

    def on_searched(self, event: messages.Searched) -> None:
        """The question was understood as another."""
        if view := self._view(event):
            view.tell(wording.searching_for(event.query))

    def on_evidence_arrived(self, event: messages.EvidenceArrived) -> None:
        """Show what the answer will be made from, before the model says a word."""
        if view := self._view(event):
            view.evidence = event.evidence
            self.chat.turn_to(view)

    def on_prompt_read(self, event: messages.PromptRead) -> None:
        """How far the model is with what it has to read first."""
        if view := self._view(event):
            view.tell(wording.prompt_read(event.done, event.total))

    async def on_token_arrived(self, event: messages.TokenArrived) -> None:
        """Let the answer grow."""
        if view := self._view(event):
            await view.write(event.text)

    async def on_answer_done(self, event: messages.AnswerDone) -> None:
        """The answer, with its citations."""
        if view := self._view(event):
            await view.finish(event.answer)
            self.chat.turn_to(view)
            self.chat.transcript.reveal(view)
        self._ended(event)

    async def on_reply_done(self, event: messages.ReplyDone) -> None:
        """The companion has spoken."""
        if view := self._view(event):
            await view.settle(event.text)
        self._ended(event)

    async def on_answer_stopped(self, event: messages.AnswerStopped) -> None:
        """What came of it stays, marked."""
        if view := self._view(event):
            await view.end("stopped")
        self._ended(event)

    async def on_answer_failed(self, event: messages.AnswerFailed) -> None:
        """Say why, and give the question back."""
        if view := self._view(event):
            await view.end("failed", f"{event.told}\n{event.hint}".strip())
            self.chat.question.give_back(view.question)
        self._ended(event)

    def _view(self, event: messages.Heard) -> ExchangeView | None:
        """What the event is about; None when another conversation stands there by now."""
        return self.chat.transcript.view(event.number)

    def _ended(self, event: messages.Heard) -> None:
        self.line.ended(event.number)
        self.refresh_bindings()
