"""The command palette: every action that the screen has, with its key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from mozi_cli.tui.keys import ACTIONS, NAMED, Action, shown


class ActionCommands(Provider):
    """Offers the actions that the app, the screen or one of its widgets has bound; goes into `App.COMMANDS`.

    An action runs where it is bound, whatever has the focus.
    """

    async def discover(self) -> Hits:
        """All of them, in the order of `ACTIONS`."""
        for action, help_text, run in self._offered():
            yield DiscoveryHit(action.label, run, help=help_text)

    async def search(self, query: str) -> Hits:
        """Those whose label or description matches."""
        matcher = self.matcher(query)
        for action, help_text, run in self._offered():
            text = f"{action.label}: {action.does}"
            if score := matcher.match(text):
                yield Hit(score, matcher.highlight(text), run, help=help_text)

    def _offered(self) -> Iterator[tuple[Action, str, Callable[[], Awaitable[bool]]]]:
        """Each action that is bound somewhere, its keys and description, and what runs it."""
        places = self._places()
        for action in ACTIONS:
            if action.name in places and action.name != "palette":
                node, bound = places[action.name]
                keys = shown(self.app._keymap.get(action.name, action.keys))
                run = partial(self.app.run_action, bound, default_namespace=node)
                yield action, f"{keys}  {action.does}", run

    def _places(self) -> dict[str, tuple[DOMNode, str]]:
        """For each action's name, the widget that has it, and what the widget calls it."""
        nodes: tuple[DOMNode, ...] = (self.app, *self.screen.walk_children(with_self=True))
        bound = [(node, binding) for node in nodes for _, binding in node._bindings]
        return {binding.id: (node, binding.action) for node, binding in bound if binding.id in NAMED}
