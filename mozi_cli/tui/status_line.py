"""What is ready, and how far the rest is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from mozi_cli.tui.messages import Part

Stage = Literal["waiting", "working", "ready", "failed"]
_SIGNS = {"waiting": "·", "working": "…", "ready": "✓", "failed": "✗"}
_STYLES = {"waiting": "dim", "working": "$text-warning", "ready": "$text-success", "failed": "$text-error"}
_PARTS: tuple[Part, ...] = ("text", "layout", "index", "model", "reading")


@dataclass(frozen=True, slots=True)
class State:
    """How one part is; `told` says more, such as "3/8"."""

    stage: Stage = "waiting"
    told: str = ""


class StatusLine(Static):
    """One line: each part with a sign, since colour alone tells not everyone."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._states: dict[Part, State] = {part: State() for part in _PARTS}

    def on_mount(self) -> None:
        """Nothing is ready yet."""
        self._draw()

    def state(self, part: Part) -> State:
        """How this part is."""
        return self._states[part]

    def tell(self, part: Part, stage: Stage, told: str = "") -> None:
        """A part has come further."""
        if self._states[part] != State(stage, told):
            self._states[part] = State(stage, told)
            self._draw()

    def reset(self, *parts: Part) -> None:
        """These parts begin anew."""
        for part in parts:
            self.tell(part, "waiting")

    def _draw(self) -> None:
        shown = [_shown(part, state) for part, state in self._states.items()]
        self.update(Content("  ").join(shown))


def _shown(part: Part, state: State) -> Content:
    told = f" {state.told}" if state.told else ""
    return Content.styled(f"{_SIGNS[state.stage]} {part}{told}", _STYLES[state.stage])
