"""The full screen: read a paper, ask it, and see the evidence on its page.

What the first paint does not need is imported after it, where it is used.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from mozi_cli import wording
from mozi_cli.tui import keys, theme, threads
from mozi_cli.tui.answers import Answers
from mozi_cli.tui.bindings import bind
from mozi_cli.tui.chat_screen import ChatScreen
from mozi_cli.tui.exchange_view import ExchangeView
from mozi_cli.tui.graphics import Graphics
from mozi_cli.tui.line import Line
from mozi_cli.tui.start import Start
from mozi_cli.tui.waiting import Waiting
from mozi_engine.errors import DataError, MoziError

if TYPE_CHECKING:
    from textual.command import Provider

    from mozi_cli.tui import messages
    from mozi_cli.tui.desk import Desk
    from mozi_engine.sessions.conversations import Mode, Session
    from mozi_engine.sessions.store import Store
    from mozi_engine.types import Turn

MakeDesk = Callable[[Callable[[Message], object], Start], "Desk"]

_STAGES: dict[str, tuple[messages.Part, ...]] = {
    "text": ("text",),
    "layout": ("text", "layout"),
    "dense": ("text", "layout", "index"),
}


def _commands() -> type[Provider]:
    from mozi_cli.tui.commands import ActionCommands

    return ActionCommands


class ChatApp(Answers):
    """Owns the session: what is open, what is asked, and whose turn it is. Threads do the work."""

    TITLE = "mozi"
    CSS_PATH = "mozi.tcss"
    COMMANDS: ClassVar = {_commands}  # Textual's own say the same again, under other names
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012  as Textual declares it
        (0, "-narrow"),  # one pane at a time
        (100, "-normal"),
        (160, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-low"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("palette", "command_palette", show=True, priority=True),
        bind("quit", "quit", show=True, priority=True),
        bind("interrupt", "interrupt", priority=True),
    ]

    def __init__(
        self, start: Start, make_desk: MakeDesk | None = None, graphics: Graphics | None = None
    ) -> None:
        """`make_desk` makes the engine's side, in a thread; `graphics` is how the terminal shows pictures."""
        super().__init__()
        self.start = start
        self.chat = ChatScreen(graphics)
        self.mode: Mode = "paper" if start.settings.elsewhere else start.mode
        self.model = start.settings.model
        self.desk: Desk | None = None  # there a second after the first paint
        self.store: Store | None = None  # these two a moment after it
        self.session: Session | None = None
        self._make_desk = make_desk
        for colours in theme.THEMES:
            self.register_theme(colours)
        self.theme = theme.check(start.settings.theme, self.available_themes)
        self.set_keymap(keys.keymap(start.settings.keys))
        self._introduction = ""
        self._agreed = False  # to tell a companion on another machine
        self._searchable = False
        self._numbers = count(1)
        self.line = Line(self._lacks, self._put)
        self._waiting = Waiting(self._refused)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours that only mozi has, for themes that do not know them."""
        return theme.own(dark=self.current_theme.dark)

    def get_default_screen(self) -> Screen[None]:
        """The chat; other screens lie on it."""
        return self.chat

    def on_mount(self) -> None:
        """Paint first; what is left is brought after that, and the engine last."""
        self.call_after_refresh(self._set_out)

    async def _set_out(self) -> None:
        await self.chat.furnish()
        gc.freeze()
        gc.enable()
        self.set_mode(self.start.mode)
        threads.start(self._prepare, self._told)

    def _prepare(self) -> None:
        from mozi_cli.tui import errands

        errands.prepare(self.post_message, self.start, self._make_desk or errands.desk)

    def errand(self, work: Callable[..., object], *arguments: object) -> None:
        """Have something done in a thread; it is given a way to post messages, and its failure is told."""
        threads.start(partial(work, self.post_message, *arguments), self._told)

    # What is open

    def open(self, reference: str, password: str | None = None) -> None:
        """Another paper, and a conversation of its own."""
        from mozi_engine.sessions.conversations import begin

        self.set_mode("paper")
        self.run_worker(self._turn_to(begin("paper", model=self.model)))
        self._read(reference, password)

    def resume(self, session: str) -> None:
        """Go on with a conversation that was kept; "" is the last one."""
        from mozi_cli.tui import errands

        self.errand(errands.resume, self.store, session, self.start.settings, self.model)

    def use_model(self, name: str) -> None:
        """Ask another model from now on."""
        if self.desk:
            self.model = name
            self.chat.status.tell("model", "working", f"{name}, loading")
            self.chat.status.reset("reading")
            self.desk.load(name)

    def set_mode(self, mode: Mode) -> None:
        """Whom the next question goes to. Before a companion on another machine, the person is asked."""
        host = self.start.settings.elsewhere
        if mode == "support" and host and not self._agreed:
            self._ask_whether_to_leave(host)
            return
        self.mode = mode
        self.chat.set_mode(mode, "\n".join(filter(None, (self._introduction, host and wording.leaves(host)))))
        self.draft(self.chat.question.text)

    def _ask_whether_to_leave(self, host: str) -> None:
        from mozi_cli.tui.confirm import ConfirmScreen

        def answered(agreed: bool | None) -> None:
            self._agreed = bool(agreed)
            self.set_mode("support" if agreed else "paper")

        self.push_screen(ConfirmScreen(wording.leaves(host), "Go on"), answered)

    @property
    def title_of_paper(self) -> str:
        """What the open paper is called; "" where none is."""
        return self.session.paper.name if self.session and self.session.paper else ""

    @property
    def asked(self) -> bool:
        """Whether there is a conversation in the store."""
        return any(view.progress != "waiting" for view in self.chat.transcript.views)

    def _read(self, reference: str, password: str | None) -> None:
        self._searchable = False
        self.chat.status.reset("text", "layout", "index", "reading")
        self.chat.status.tell("text", "working", "opening")
        self.chat.transcript.welcome(wording.opening(reference))
        if self.desk:
            self.desk.open(reference, password)

    async def _turn_to(self, session: Session, views: Iterable[ExchangeView] = ()) -> None:
        for left in self.line.clear():
            self._waiting.end(left)
        self.session = session
        views = list(views)
        self.chat.turn_to(views[-1] if views else None)
        await self.chat.transcript.show(views)

    # Questions, one after the other

    async def ask(self, question: str) -> None:
        """Put a question in the line; it is answered when it can be."""
        view = ExchangeView(next(self._numbers), question, self.mode)
        await self.chat.transcript.add(view)
        if self.session:
            self._waiting.keep(view, self.session)
        self.line.add(view)
        self.refresh_bindings()

    async def stop(self) -> None:
        """Stop the answer under way; if there is none, take the last question out of the line."""
        if self.line.answering and self.desk:
            self.desk.stop()
            self.line.answering.tell(wording.STOPPING)
        elif view := self.line.take_back():
            self._waiting.take_back(view)
            self.chat.question.give_back(view.question)
            await self.chat.transcript.take_back(view)

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return self.line.busy

    def _lacks(self, view: ExchangeView) -> str:
        if self.desk is None or (view.mode == "paper" and not self._searchable):
            return wording.WAITING_FOR_PAPER if view.mode == "paper" else wording.WAITING_FOR_MODEL
        return ""

    def _put(self, view: ExchangeView) -> None:
        from mozi_cli.tui.asking import Asking

        if not (self.desk and self.store and self.session):
            return
        history = self._history(view.mode)
        self.session = session = replace(self.session, mode=view.mode, model=self.model)
        self.chat.turn_to(view)
        view.tell(wording.SEARCHING if view.mode == "paper" else wording.LISTENING)
        exchange = self._waiting.begin(view)
        asking = Asking(view.number, view.question, session, self.store, self.post_message, exchange)
        self.desk.ask(asking, history)

    def _history(self, mode: Mode) -> list[Turn]:
        return [turn for view in self.chat.transcript.views if view.mode == mode for turn in view.turns]

    def draft(self, question: str) -> None:
        """Let the model know of the question that is being written, or is about to be."""
        about_to = question.strip() or not self.busy  # what was sent leaves nothing behind
        if self.desk and (about_to if self.mode == "support" else self._searchable):
            from mozi_cli.tui.drafting import Draft

            self.desk.write(Draft(question, self._history(self.mode), self.mode))

    def _go_on(self) -> None:
        self.line.move()
        self.refresh_bindings()

    # What threads tell of the desk, the paper and the model

    def on_store_ready(self, event: messages.StoreReady) -> None:
        """Keep what was asked before, and all that comes."""
        self.store, self.session = event.store, event.session
        if event.note:
            self._told(event.note)
        self._waiting.open(event.store)
        for view in self.line.waiting:
            self._waiting.keep(view, event.session)

    def on_desk_ready(self, event: messages.DeskReady) -> None:
        """The engine is there: begin with what was asked for."""
        self.desk, self._introduction = event.desk, event.introduction
        self.set_mode(self.mode)
        self.use_model(self.model)
        start = self.start
        if start.resume is not None:
            self.resume(start.resume)
        elif start.reference:
            self._read(*self._named())
        elif start.mode == "paper":
            self.chat.action_library()
        self._go_on()

    def _named(self) -> tuple[str, str | None]:
        """The paper of the command line and its password, once: conversations chosen later have their own."""
        start, self.start = self.start, replace(self.start, reference="", password=None)
        return start.reference, start.password

    async def on_resumed(self, event: messages.Resumed) -> None:
        """A conversation goes on where it ended, with its paper and its model."""
        session = event.conversation.session
        views = [ExchangeView.of(next(self._numbers), each) for each in event.conversation.exchanges]
        await self._turn_to(session, views)
        self.chat.question.remember(*(view.question for view in views))
        self.set_mode(session.mode)
        if event.model != self.model:
            self.use_model(event.model)
        reference, password = self._named()
        if reference := reference or (session.paper.reference if session.paper else ""):
            self._read(reference, password)

    def on_worked(self, event: messages.Worked) -> None:
        """Long work is under way."""
        told = f"{event.done * 100 // event.total}%" if event.total else event.told
        if event.part == "layout":
            told = f"{event.done}/{event.total}"
        self.chat.status.tell(event.part, "working", told)

    def on_paper_read(self, event: messages.PaperRead) -> None:
        """Show the paper; what it is asked is searched in it from now on."""
        from mozi_cli.tui import errands

        if not self._searchable:
            self.errand(errands.noticed, self.store, event.known)
        if self.session:
            self.session = replace(self.session, paper=event.known)
            self._waiting.update(self.session)
        self._searchable = True
        self.chat.page.show(event.paper, event.file, event.password)
        gc.freeze()  # the paper's many words live long: walking them again and again would halt the screen
        self.chat.transcript.welcome(wording.opened(event.known.name))
        for part in _STAGES[event.stage]:
            self.chat.status.tell(part, "ready")
        self._go_on()

    async def on_paper_failed(self, event: messages.PaperFailed) -> None:
        """No such paper, or none that can be read: the questions to it are given back."""
        for view in self.line.clear("paper"):
            self._waiting.end(view, event.told)
            await view.end("failed", event.told)
            self.chat.question.give_back(view.question)
        self.refresh_bindings()
        self.chat.status.tell("text", "failed")
        self._told(MoziError(event.told, event.hint))
        self.chat.transcript.welcome(f"{event.told}\n{event.hint}")

    def on_password_wanted(self, event: messages.PasswordWanted) -> None:
        """Ask for the paper's password, until it opens or nobody knows it."""
        from mozi_cli.tui.password_screen import PasswordScreen

        def given(password: str | None) -> None:
            if password is not None:
                self._read(event.reference, password)

        self.push_screen(PasswordScreen(event.told), given)

    def on_model_ready(self, event: messages.ModelReady) -> None:
        """The model can be asked."""
        self.model = event.name
        self.chat.status.tell("model", "ready", event.name)
        self.draft(self.chat.question.text)

    def on_model_failed(self, event: messages.ModelFailed) -> None:
        """It cannot; what waits for it fails by itself."""
        self.chat.status.tell("model", "failed", event.name)
        if event.told:
            self._told(MoziError(event.told, event.hint))

    def on_read_on(self, event: messages.ReadOn) -> None:
        """The model has come further in the paper; of a long one, what is left out is said at the end."""
        status = self.chat.status
        if not event.complete:
            status.tell("reading", "working", f"page {event.page}/{event.pages}")
        elif status.state("reading").stage != "ready":
            status.tell("reading", "ready", "the paper, in part" if event.left_out else "the paper")
            if event.left_out:
                self.notify(wording.snippet(wording.left_out(event.left_out), 240), markup=False)

    def on_reading_stopped(self, event: messages.ReadingStopped) -> None:
        """Answers come from passages."""
        self.chat.status.tell("reading", "failed" if event.told else "waiting", event.told)

    def on_told(self, event: messages.Told) -> None:
        """Something beside the conversation."""
        self.notify(event.told, markup=False)

    def on_unkept(self, event: messages.Unkept) -> None:
        """The disk refuses: said once, and the conversation goes on."""
        self._refused(DataError(event.told, event.hint))

    def _refused(self, error: DataError) -> None:
        told = f"{error.message}. {error.hint}"
        self.notify(told, title=wording.NOT_KEPT, severity="warning", markup=False)

    def _told(self, error: MoziError) -> None:
        """What went wrong, and what to do next; from any thread."""
        told = partial(self.notify, title=error.message, severity="error", timeout=10, markup=False)
        self.call_later(told, error.hint)

    # Leaving

    def _fatal_error(self) -> None:
        """A bug ends the screen with one line; its traceback is in the report.

        Textual has no public hook here (its issue 2818), and what it prints shows the person's words: the
        values of variables. Only the printing is replaced; Textual notes the error and leaves as ever.
        """
        if self._exception:
            bug = threads.bug(self._exception)
            self.panic(Text(f"mozi: {bug.message}\n  {bug.hint}"))

    def action_interrupt(self) -> None:
        """Ctrl+C copies what is selected, and leaves where nothing is."""
        if selected := self.screen.get_selected_text() or self.chat.question.selected_text:
            self.copy_to_clipboard(selected)
        else:
            self.exit()
