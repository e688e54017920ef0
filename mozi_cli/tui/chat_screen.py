"""The page, the conversation and its evidence: where they stand, and how one leads to another.

What the first paint does not show is imported and mounted after it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static, TextArea

from mozi_cli import wording
from mozi_cli.tui import keys
from mozi_cli.tui.bindings import bind
from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.graphics import Graphics
from mozi_cli.tui.question_input import QuestionInput
from mozi_cli.tui.status_line import StatusLine
from mozi_cli.tui.transcript import Transcript
from mozi_engine.quotations import Quote, quotes
from mozi_engine.types import Passage

if TYPE_CHECKING:
    from mozi_cli.tui.app import ChatApp
    from mozi_cli.tui.evidence_pane import EvidencePane
    from mozi_cli.tui.export_screen import Export
    from mozi_cli.tui.paper_pane import PaperPane
    from mozi_engine.sessions.store import Store

_ASK = {"paper": "Ask the paper. Enter sends, Ctrl+J begins a new line.", "support": "What is on your mind?"}
_KEPT = ("open", "library", "sessions", "models", "export")  # actions that need the store or the engine
_FURNISHED = ("support", "next_pane", "copy")  # actions that need every pane
_NARROW = "-narrow"  # one pane at a time


class ChatScreen(Screen[None]):
    """Lays the panes out; follows citations and passages to the page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("stop", "stop", show=True),
        bind("open", "open", show=True, priority=True),
        bind("sessions", "sessions", show=True, priority=True),
        bind("library", "library", priority=True),
        bind("models", "models", priority=True),
        bind("support", "support", show=True, priority=True),
        bind("export", "export", priority=True),
        bind("question.edit", "edit", priority=True),
        bind("theme", "app.change_theme", priority=True),
        bind("pane_next", "next_pane(1)"),
        bind("pane_before", "next_pane(-1)"),
        bind("copy", "copy", show=True),
        bind("copy_quote", "copy_quote"),
        bind("help", "keys", show=True),
        *(Binding(str(n), f"cite({n})", f"Citation {n}", show=False) for n in range(1, 10)),
        *(Binding(f"alt+{n}", f"cite({n})", show=False, priority=True) for n in range(1, 10)),
    ]

    def __init__(self, graphics: Graphics | None = None) -> None:
        super().__init__()
        self._graphics = graphics
        self.current: ExchangeView | None = None  # whose evidence is listed
        self.quote: Quote | None = None  # what was followed last
        self.furnished = False

    def compose(self) -> ComposeResult:
        """Page left, conversation right; in a narrow terminal one of the two. `furnish` brings the rest."""
        with Horizontal(id="panes"):
            yield Static(id="page", classes="frame")
            with Vertical(id="talk"):
                yield Static(id="banner", markup=False)
                yield Transcript(id="transcript")
                yield QuestionInput(id="question")
        yield StatusLine(id="status")

    async def furnish(self) -> None:
        """Bring what was left out for the first paint: the page, the evidence, the keys."""
        from textual.widgets import Footer

        from mozi_cli.tui.evidence_pane import EvidencePane
        from mozi_cli.tui.paper_pane import PaperPane

        with self.app.batch_update():
            await self.query_one("#page").remove()
            await self.query_one("#panes").mount(PaperPane(self._graphics, id="page"), before=0)
            await self.query_one("#talk").mount(EvidencePane(id="evidence"), before=self.question)
            await self.mount(Footer(show_command_palette=False, compact=True))
        self.furnished = True
        self._bring_out()

    def on_mount(self) -> None:
        """Ready to be asked."""
        self.question.placeholder = _ASK["paper"]
        self.question.focus()

    @property
    def _chat(self) -> ChatApp:
        return cast("ChatApp", self.app)

    @property
    def page(self) -> PaperPane:
        """The paper."""
        return cast("PaperPane", self.query_one("#page"))

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    @property
    def evidence(self) -> EvidencePane:
        """The passages."""
        return cast("EvidencePane", self.query_one("#evidence"))

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
        answer = view.answer if view else None
        self.evidence.show(view.evidence if view else (), answer)
        cited = min(len(quotes(answer)), 9) if answer else 0
        self.question.citations = frozenset(str(number) for number in range(1, cited + 1))

    def set_mode(self, mode: str, banner: str) -> None:
        """Whom the next question goes to, in colours and words."""
        self.set_class(mode == "support", "-support")
        self.page.display = mode == "paper" or self.page.pages > 0
        self.query_one("#banner", Static).update(banner)
        self.question.placeholder = _ASK[mode]

    def on_paper_pane_page_turned(self) -> None:
        """There is a paper now, whoever is talked to."""
        self.page.display = True

    def show_passage(self, passage: Passage, start: int = 0, end: int | None = None) -> None:
        """Turn the page to these words, and highlight them."""
        self.page.mark(passage.boxes(start, end))
        if self.has_class(_NARROW):
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
        panes[(at + by) % len(panes)].focus()

    def on_exchange_view_cited(self, event: ExchangeView.Cited) -> None:
        """A citation was clicked."""
        self._follow(event.view, event.citation)

    def on_question_input_citation_wanted(self, event: QuestionInput.CitationWanted) -> None:
        """A citation's number was pressed."""
        self.action_cite(event.number)

    def on_evidence_pane_passage_chosen(self, event: EvidencePane.PassageChosen) -> None:
        """A passage was chosen from the list."""
        self.show_passage(event.passage)

    def _follow(self, view: ExchangeView, number: int) -> None:
        found = quotes(view.answer) if view.answer else ()
        if number > len(found):
            return
        if view is not self.current:
            self.turn_to(view)
        self.quote = found[number - 1]
        self.show_passage(self.quote.passage, self.quote.start, self.quote.end)

    def on_descendant_focus(self) -> None:
        """In a narrow terminal, show the side that the keys go to."""
        self._bring_out()

    def on_resize(self) -> None:
        """And still show it when the terminal has another width."""
        self.call_after_refresh(self._bring_out)

    def _bring_out(self) -> None:
        side = self.page if self.page.has_focus_within else self.query_one("#talk")
        self.query_one("#panes").scroll_to_widget(side, animate=False, force=True)

    # What the person does besides asking

    async def on_question_input_asked(self, event: QuestionInput.Asked) -> None:
        """A question was sent."""
        await self._chat.ask(event.question)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """A question is being written."""
        self._chat.draft(event.text_area.text)

    async def action_stop(self) -> None:
        """Stop the answer under way."""
        await self._chat.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc stops where there is something to stop; panes and what is kept are there after a moment."""
        if action == "stop":
            return self._chat.busy
        if action in _KEPT:
            return self._chat.desk is not None
        if action in _FURNISHED:
            return self.furnished
        return super().check_action(action, parameters)

    @property
    def _store(self) -> Store:
        return cast("Store", self._chat.store)

    def action_open(self) -> None:
        """Ask for another paper."""
        from mozi_cli.tui.open_screen import OpenScreen

        self.app.push_screen(OpenScreen(self._store.papers()), self._open)

    def action_library(self) -> None:
        """Show the recent papers."""
        from mozi_cli.tui.library_screen import LibraryScreen
        from mozi_engine import states

        papers, read = self._store.papers(), states.papers(self._chat.model)
        key = keys.written("open", self._chat.start.settings.keys)
        screen = LibraryScreen(papers, read, self.action_sessions, self.action_models, key)
        self.app.push_screen(screen, self._open)

    def _open(self, reference: str | None) -> None:
        if reference is not None:
            self._chat.open(reference)

    def action_sessions(self) -> None:
        """Show the conversations there were."""
        from mozi_cli.tui import errands
        from mozi_cli.tui.sessions_screen import SessionsScreen

        store = self._store
        screen = SessionsScreen(store.recent(), store.load, store.delete, partial(errands.write, store))
        self.app.push_screen(screen, self._resume)

    def _resume(self, session: str | None) -> None:
        if session is not None:
            self._chat.resume(session)
            if self.app.screen is not self:  # the library, from which it was chosen
                self.app.pop_screen()

    def action_models(self) -> None:
        """Choose another model."""
        from mozi_cli.tui.models_screen import ModelsScreen

        self.app.push_screen(ModelsScreen(self._chat.model), self._use)

    def _use(self, model: str | None) -> None:
        if model is not None:
            self._chat.use_model(model)

    def action_support(self) -> None:
        """Turn from the paper to the companion, or back."""
        self._chat.set_mode("paper" if self._chat.mode == "support" else "support")

    def action_export(self) -> None:
        """Write the conversation to a file."""
        from mozi_cli.tui.export_screen import ExportScreen, file_name

        if not self._chat.asked:
            self.notify("nothing is answered yet: there is nothing to export")
            return
        self.app.push_screen(ExportScreen(file_name(self._chat.title_of_paper)), self._export)

    def _export(self, wanted: Export | None) -> None:
        from mozi_cli.tui import errands

        if wanted is not None and self._chat.session:
            self._chat.errand(errands.export, self._store, self._chat.session.id, wanted)

    def action_keys(self) -> None:
        """Show every key."""
        from mozi_cli.tui.keys_screen import KeysScreen

        self.app.push_screen(KeysScreen(dict(keys.keymap(self._chat.start.settings.keys))))

    def action_edit(self) -> None:
        """Write the question in the person's own editor."""
        from mozi_cli.tui import editor

        written = editor.edit(self.app, self.question.text)
        if written is not None:
            self.question.load_text(written)
            self.question.move_cursor(self.question.document.end)
            self.question.focus()

    def action_copy(self) -> None:
        """Copy the passage under the cursor, or the answer."""
        if self.evidence.has_focus and self.evidence.chosen:
            self._copy(self.evidence.chosen.text, "passage")
        elif self.current and self.current.text:
            self._copy(self.current.text, "answer")

    def action_copy_quote(self) -> None:
        """Copy the quotation last followed, or the first there is, with where it stands."""
        answer = self.current.answer if self.current else None
        quote = self.quote or next(iter(quotes(answer)), None) if answer else None
        if quote:
            self._copy(wording.reference(quote, self._chat.title_of_paper), "quotation")

    def _copy(self, text: str, what: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify(f"{what} copied")
