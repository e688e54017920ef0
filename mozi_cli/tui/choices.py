"""A list to choose from, and one with a line above it that narrows it down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from mozi_cli.tui import fuzzy
from mozi_cli.tui.rows import Row


class Choices(OptionList):
    """Rows of two lines, cut at the list's edge. Posts `OptionList.OptionSelected` with the row's id."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Choose"),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "first", show=False),
        Binding("G", "last", show=False),
    ]

    def show(self, rows: Iterable[Row], query: str = "") -> None:
        """Put these rows into the list, those that fit the query, best first; the first is highlighted."""
        single = {row.id: row for row in rows}.values()
        tried = ((fuzzy.match(query, f"{row.title}\n{row.detail}"), row) for row in single)
        fitting = [(found, row) for found, row in tried if found]
        fitting.sort(key=lambda pair: -pair[0].score)
        self.clear_options()
        self.add_options(Option(_drawn(row, found.positions), id=row.id) for found, row in fitting)
        self.highlighted = 0 if fitting else None

    @property
    def chosen(self) -> str | None:
        """The id of the highlighted row."""
        option = self.highlighted_option
        return option.id if option else None


def _drawn(row: Row, positions: Iterable[int]) -> Content:
    """The row's two lines; what a filter found is underlined."""
    title, end = Content.styled(row.title, "bold"), len(row.title)
    for at in positions:
        if at < end:
            title = title.stylize("underline", at, at + 1)
    return Content.assemble(title, "\n", (row.detail, "$text-muted")) if row.detail else title


class Filtered(Vertical):
    """A list that the line above it filters. The list has the focus at first; "/" goes to the line.

    `nothing` is said where the filter leaves no row, `none` where there is none to filter.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "Filter")]

    def __init__(self, rows: Sequence[Row], *, nothing: str, none: str = "") -> None:
        super().__init__()
        self._rows, self._nothing, self._none = list(rows), nothing, none

    def compose(self) -> ComposeResult:
        """The line, the list, and what is said instead of an empty one."""
        yield _Line(placeholder="/ to filter", compact=True)
        yield Choices()
        yield Static(classes="nothing")

    def on_mount(self) -> None:
        """Show all rows."""
        self._narrow("")
        self.choices.focus()

    @property
    def choices(self) -> Choices:
        """The list."""
        return self.query_one(Choices)

    def replace(self, rows: Sequence[Row]) -> None:
        """Show other rows, filtered as before, with the highlight where it was."""
        self._rows, at = list(rows), self.choices.highlighted
        self._narrow(self.query_one(_Line).value)
        if at is not None and self.choices.option_count:
            self.choices.highlighted = min(at, self.choices.option_count - 1)

    def action_filter(self) -> None:
        """Go to the line."""
        self.query_one(_Line).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter."""
        event.stop()
        self._narrow(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter chooses from the line as it does from the list."""
        event.stop()
        # In its own time: what a child says while its parent speaks does not bubble past the parent.
        self.choices.call_later(self.choices.action_select)

    def _narrow(self, query: str) -> None:
        self.choices.show(self._rows, query)
        nothing = self.query_one(".nothing", Static)
        nothing.update(self._nothing if self._rows else self._none)
        nothing.display = not self.choices.option_count


class _Line(Input):
    """Up and down move in the list below; Esc empties the line and goes back to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move('cursor_down')", show=False),
        Binding("up", "move('cursor_up')", show=False),
        Binding("escape", "leave", "Back to the list"),
    ]

    def action_move(self, action: str) -> None:
        """Move the list's highlight."""
        choices = self.screen.query_one(Choices)
        choices.action_cursor_down() if action == "cursor_down" else choices.action_cursor_up()

    def action_leave(self) -> None:
        """Empty the line, and go back to the list."""
        self.clear()
        self.screen.query_one(Choices).focus()
