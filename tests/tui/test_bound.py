"""The list of actions and what the widgets bind agree."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

import mozi_cli.tui
from mozi_cli.tui.keys import ACTIONS, NAMED


def bound() -> Iterator[tuple[type[DOMNode], Binding]]:
    """Every binding with an id of every widget of mozi's."""
    for module in pkgutil.iter_modules(mozi_cli.tui.__path__):
        for kind in vars(importlib.import_module(f"mozi_cli.tui.{module.name}")).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, DOMNode)
                and kind.__module__.startswith("mozi_cli")
            ):
                for binding in kind.__dict__.get("BINDINGS", ()):
                    if isinstance(binding, Binding) and binding.id:
                        yield kind, binding


def test_every_action_is_bound_and_every_bound_id_is_an_action() -> None:
    fixed = {action.name for action in ACTIONS if action.fixed}
    assert {binding.id for _, binding in bound()} | fixed == set(NAMED)


def test_every_bound_action_has_its_method() -> None:
    for kind, binding in bound():
        name = binding.action.partition("(")[0]
        _, dot, method = name.rpartition(".")
        assert dot or hasattr(kind, f"action_{method}"), f"{kind.__name__}: {binding.id}"
