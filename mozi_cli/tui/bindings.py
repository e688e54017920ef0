"""Textual bindings of mozi's actions: keys and words are those of `keys`, the action is the widget's own."""

from __future__ import annotations

from textual.binding import Binding

from mozi_cli.tui.keys import NAMED


def bind(name: str, action: str, *, show: bool = False, priority: bool = False) -> Binding:
    """The keys of the action called `name` run the widget's `action`; `show` puts it into the footer."""
    named = NAMED[name]
    return Binding(named.keys, action, named.label, show=show, priority=priority, tooltip=named.does, id=name)
