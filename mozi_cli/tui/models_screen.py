"""The catalogue: what models there are, which lie on this disk, and which fit into its memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Footer, OptionList, ProgressBar, Static
from textual.worker import Worker, get_current_worker

from mozi_cli import progress
from mozi_cli.tui.bindings import bind
from mozi_cli.tui.choices import Choices
from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.rows import Row
from mozi_engine import doctor, files
from mozi_engine.errors import MoziError
from mozi_engine.models import catalog
from mozi_engine.models.catalog import ModelSpec
from mozi_engine.types import Progress

MEMORY = {
    "fits": "fits memory",
    "fits alone": "fits memory alone",
    "too large": "✗ too large",
}
EVERY = 0.1  # seconds between two drawings of a download


class ModelsScreen(ModalScreen[str | None]):
    """Dismissed with the name of the model to switch to, which is on the disk, or None.

    `current` is the model in use. Esc stops a download that is under way, and only then leaves; what was
    fetched is kept, and the next download goes on from there. The callables are the catalogue's own.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("models.pull", "pull", show=True),
        bind("models.remove", "remove", show=True),
        Binding("escape", "leave", "Back/stop"),
    ]

    @dataclass
    class Pulled(Message):
        """So much has been fetched; `line` says it in words."""

        event: Progress
        line: str

    @dataclass
    class PullEnded(Message):
        """A download is over: whole, or why not."""

        name: str
        error: MoziError | None = None

    def __init__(
        self,
        current: str,
        load: Callable[[], Sequence[ModelSpec]] = catalog.load,
        pull: Callable[[ModelSpec], Iterator[Progress]] = catalog.pull,
        remove: Callable[[ModelSpec], int] = catalog.remove,
    ) -> None:
        super().__init__()
        self._current, self._specs = current, {spec.name: spec for spec in load()}
        self._pull, self._remove = pull, remove
        self._pulling: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """The models, what is to say of the one highlighted, and the download under way."""
        with Vertical(classes="window large"):
            yield Choices()
            yield Static(id="about", markup=False)
            yield Static(id="said", markup=False)
            yield ProgressBar(show_eta=False)
            yield Footer()

    def on_mount(self) -> None:
        """Show the models, the one in use highlighted."""
        self.query_one(".window").border_title = "Models"
        self.query_one(ProgressBar).display = False
        self._show(self._current)
        self.query_one(Choices).focus()

    @on(OptionList.OptionHighlighted)
    def move(self) -> None:
        """Say what else is known of the model."""
        self._describe()
        if self._pulling is None:
            self._say("")

    @on(OptionList.OptionSelected)
    @work
    async def switch(self, event: OptionList.OptionSelected) -> None:
        """Leave with the model, if it is here."""
        spec = self._specs[event.option_id or ""]
        if spec.engine == "torch":
            self._say(f"{spec.name}: {spec.note}", wrong=True)
        elif not catalog.ready(spec):
            self._say(f"{spec.name} is not on this disk: p fetches it ({_size(spec)})", wrong=True)
        elif doctor.fit(spec) != "too large" or await self._agreed(_too_large(spec), "Switch"):
            self.dismiss(spec.name)

    def action_pull(self) -> None:
        """Fetch the model that is highlighted."""
        spec = self._highlighted()
        if spec and self._pulling is None:
            self._say(f"fetching {spec.name}… (Esc stops)")
            self._pulling = self._follow(spec)

    @work(thread=True)
    def _follow(self, spec: ModelSpec) -> None:
        """Pull in a thread, and tell the screen how far it is."""
        worker, error, said = get_current_worker(), None, 0.0
        began: tuple[str, int, float] = ("", 0, 0.0)
        try:
            with closing(cast("Generator[Progress]", self._pull(spec))) as events:
                for event in events:
                    if worker.is_cancelled:
                        return
                    now = time.monotonic()
                    if event.label != began[0]:
                        began = (event.label, event.done, now)
                    if now - said >= EVERY or event.done == event.total:
                        said = now
                        line = progress.line(event, began[1], now - began[2])
                        self.post_message(self.Pulled(event, f"{event.label}: {line} (Esc stops)"))
        except MoziError as caught:
            error = caught
        self.post_message(self.PullEnded(spec.name, error))

    @on(Pulled)
    def draw_progress(self, message: Pulled) -> None:
        """Draw the bar."""
        if self._pulling is None:
            return
        bar = self.query_one(ProgressBar)
        bar.display = True
        bar.update(total=message.event.total, progress=message.event.done)
        self._say(message.line)

    @on(PullEnded)
    def end_progress(self, message: PullEnded) -> None:
        """Say how it ended."""
        if self._pulling is None:
            return
        self._pulling = None
        self.query_one(ProgressBar).display = False
        self._show(message.name)
        if message.error:
            self._say(f"{message.error.message}: {message.error.hint}", wrong=True)
        else:
            self._say(f"✓ {message.name} is ready: Enter switches to it")

    @work
    async def action_remove(self) -> None:
        """Remove the model from the disk, if the person means it."""
        spec = self._highlighted()
        if spec is None or self._pulling:
            return
        if spec.name == self._current:
            self._say(f"{spec.name} is in use: switch to another first", wrong=True)
        elif await self._agreed(f"Remove {spec.name} ({_size(spec)}) from this disk?", "Remove"):
            try:
                freed = await asyncio.to_thread(self._remove, spec)
            except MoziError as error:
                self._say(f"{error.message}: {error.hint}", wrong=True)
            else:
                self._show(spec.name)
                self._say(f"{spec.name} is removed; {files.size(freed)} freed")

    def action_leave(self) -> None:
        """Stop the download, or leave where there is none."""
        if self._pulling is None:
            self.dismiss(None)
            return
        self._pulling.cancel()
        self._pulling = None
        self.query_one(ProgressBar).display = False
        self._say("stopped; p goes on from here")

    async def _agreed(self, question: str, yes: str) -> bool:
        return await self.app.push_screen_wait(ConfirmScreen(question, yes))

    def _highlighted(self) -> ModelSpec | None:
        return self._specs.get(self.query_one(Choices).chosen or "")

    def _show(self, highlighted: str) -> None:
        choices = self.query_one(Choices)
        with self.prevent(OptionList.OptionHighlighted):
            choices.show(_row(spec, self._current) for spec in self._specs.values())
            if highlighted in self._specs:
                choices.highlighted = list(self._specs).index(highlighted)
        self._describe()

    def _describe(self) -> None:
        if spec := self._highlighted():
            told = (spec.title, spec.licence, f"context {spec.context:,} tokens", spec.note)
            self.query_one("#about", Static).update(" · ".join(filter(None, told)))

    def _say(self, text: str, *, wrong: bool = False) -> None:
        said = self.query_one("#said", Static)
        said.update(f"✗ {text}" if wrong else text)
        said.set_class(wrong, "wrong")


def _row(spec: ModelSpec, current: str) -> Row:
    told = [
        _size(spec),
        "✓ on disk" if catalog.ready(spec) else "not on disk",
        MEMORY[doctor.fit(spec)] if spec.bytes else "",
        "verified" if spec.verified else "not verified",
        spec.licence or "licence unknown",
    ]
    in_use = "  ● in use" if spec.name == current else ""
    return Row(spec.name, spec.name + in_use, " · ".join(filter(None, told)))


def _size(spec: ModelSpec) -> str:
    return files.size(spec.bytes) if spec.bytes else "size unknown"


def _too_large(spec: ModelSpec) -> str:
    needed = files.size(spec.bytes + doctor.OVERHEAD)
    return f"{spec.name} takes {needed}, more than the memory of this machine. Switch all the same?"
