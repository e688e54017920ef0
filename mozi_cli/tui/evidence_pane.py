"""The passages an answer stands on, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mozi_cli import wording
from mozi_cli.tui.bindings import bind
from mozi_engine import quotations
from mozi_engine.types import Answer, Evidence, Passage

_SNIPPET = 300  # characters of a passage that are shown


class EvidencePane(OptionList):
    """Lists passages; the one that is chosen is to be shown on its page."""

    BORDER_TITLE = "evidence"
    BINDINGS = [  # noqa: RUF012  Textual's own form
        bind("evidence.next", "cursor_down"),
        bind("evidence.previous", "cursor_up"),
        bind("evidence.show", "select", show=True),
    ]

    @dataclass
    class PassageChosen(Message):
        """Someone wants to see a passage on its page."""

        passage: Passage

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id, markup=False)
        self._evidence: tuple[Evidence, ...] = ()

    def show(self, evidence: Sequence[Evidence], answer: Answer | None = None) -> None:
        """List these passages; with the answer, also which of them it cites, and as what."""
        self._evidence = tuple(evidence)
        cited = _cited(answer) if answer else {}
        self.clear_options()
        self.add_options([Option(_line(item, cited.get(i, ""))) for i, item in enumerate(evidence)])
        self.display = bool(evidence)
        self.highlighted = 0 if evidence else None

    @property
    def chosen(self) -> Passage | None:
        """The passage under the cursor."""
        return None if self.highlighted is None else self._evidence[self.highlighted].passage

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Ask for the passage to be shown."""
        event.stop()
        self.post_message(self.PassageChosen(self._evidence[event.option_index].passage))


def _cited(answer: Answer) -> dict[int, str]:
    """For each position in the evidence, the numbers of its citations: "[1][3]"."""
    marks: dict[int, str] = {}
    for quote in quotations.quotes(answer):
        for position, item in enumerate(answer.evidence):
            if item.passage == quote.passage:
                marks[position] = marks.get(position, "") + f"[{quote.number}]"
    return marks


def _line(item: Evidence, marks: str) -> Content:
    return Content.assemble(
        (f"{item.rank} ", "bold"),
        (f"{wording.place(item.passage)}", "$text-primary"),
        (f" {marks}" if marks else "", "bold $text-accent"),
        "\n" + wording.snippet(item.passage.text, _SNIPPET),
    )
