"""The page, the conversation and its evidence: where they stand, and how one leads to another."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from mozi_cli import wording
from mozi_cli.tui.evidence_pane import EvidencePane
from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.paper_pane import PaperPane
from mozi_cli.tui.question_input import QuestionInput
from mozi_cli.tui.status_line import StatusLine
from mozi_cli.tui.transcript import Transcript
from mozi_engine.types import Passage

_ASK = {"paper": "Ask the paper. Enter sends, Ctrl+J begins a new line.", "support": "What is on your mind?"}
_NARROW = "-narrow"  # one pane at a time
_PAGE = "-page"  # and that is the page


class ChatScreen(Screen[None]):
    """Lays the panes out; follows citations and passages to the page."""

    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [
        (0, _NARROW),
        (100, "-normal"),
        (160, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-low"), (32, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "Next pane", show=True, id="pane.next"),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False, id="pane.previous"),
        *(Binding(str(n), f"cite({n})", f"Citation {n}", show=False) for n in range(1, 10)),
        *(Binding(f"alt+{n}", f"cite({n})", show=False, priority=True) for n in range(1, 10)),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.current: ExchangeView | None = None  # whose evidence is listed
        self.quote: wording.Quote | None = None  # what was followed last

    def compose(self) -> ComposeResult:
        """Page left, conversation right; in a narrow terminal one of the two."""
        with Horizontal(id="panes"):
            yield PaperPane(id="page")
            with Vertical(id="talk"):
                yield Static(id="banner", markup=False)
                yield Transcript(id="transcript")
                yield EvidencePane(id="evidence")
                yield QuestionInput(id="question")
        yield StatusLine(id="status")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Ready to be asked."""
        self.question.placeholder = _ASK["paper"]
        self.question.focus()

    @property
    def page(self) -> PaperPane:
        """The paper."""
        return self.query_one(PaperPane)

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    @property
    def evidence(self) -> EvidencePane:
        """The passages."""
        return self.query_one(EvidencePane)

    @property
    def question(self) -> QuestionInput:
        """Where the next question is written."""
        return self.query_one(QuestionInput)

    @property
    def status(self) -> StatusLine:
        """What is ready."""
        return self.query_one(StatusLine)

    def turn_to(self, view: ExchangeView | None) -> None:
        """List this exchange's evidence."""
        self.current, self.quote = view, None
        if view:
            self.evidence.show(view.evidence, view.answer)
        else:
            self.evidence.show(())

    def set_mode(self, mode: str, banner: str) -> None:
        """Whom the next question goes to, in colours and words."""
        self.set_class(mode == "support", "-support")
        self.query_one("#banner", Static).update(banner)
        self.question.placeholder = _ASK[mode]

    def show_passage(self, passage: Passage, start: int = 0, end: int | None = None) -> None:
        """Turn the page to these words, and highlight them."""
        self.page.mark(passage.boxes(start, end))
        if self.has_class(_NARROW):
            self._uncover(self.page)
            self.page.focus()

    def action_cite(self, number: int) -> None:
        """Follow a citation of the exchange whose evidence is listed."""
        if self.current:
            self._follow(self.current, number)

    def action_next_pane(self, by: int) -> None:
        """Go round the panes that have something to show."""
        panes: list[Widget] = [self.question, self.page, self.transcript, self.evidence]
        panes = [pane for pane in panes if pane.display]
        at = next((i for i, pane in enumerate(panes) if pane.has_focus_within), 0)
        pane = panes[(at + by) % len(panes)]
        self._uncover(pane)
        pane.focus()

    def on_exchange_view_cited(self, event: ExchangeView.Cited) -> None:
        """A citation was clicked."""
        self._follow(event.view, event.citation)

    def on_evidence_pane_passage_chosen(self, event: EvidencePane.PassageChosen) -> None:
        """A passage was chosen from the list."""
        self.show_passage(event.passage)

    def _follow(self, view: ExchangeView, number: int) -> None:
        quotes = wording.quotes(view.answer) if view.answer else ()
        if number > len(quotes):
            return
        if view is not self.current:
            self.turn_to(view)
        self.quote = quotes[number - 1]
        self.show_passage(self.quote.passage, self.quote.start, self.quote.end)

    def _uncover(self, pane: Widget) -> None:
        """In a narrow terminal, show the side that the pane is on."""
        self.set_class(pane is self.page, _PAGE)
