"""Verbs that stand in rooms of their own, such as `mozi models list`: a room is built when it is entered."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.main import get_group

if TYPE_CHECKING:
    from typer._click import Command, Context

_ROOMS = {
    "models": "models",
    "sessions": "sessions",
    "eval": "evaluate",
    "train": "train",
    "runs": "runs",
    "export": "adapters",
    "prepare": "prepare",
}


class Rooms(TyperGroup):
    """The verbs that were added, then the rooms; typer alone would have `mozi chat` wait for all of them."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Their names, in the order of the help."""
        added = super().list_commands(ctx)
        return [*(name for name in added if name not in _ROOMS), *_ROOMS]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The verb or the room; a name that is neither builds every room, to be compared with theirs."""
        known = super().get_command(ctx, cmd_name)
        if known is None:
            for name in [cmd_name] if cmd_name in _ROOMS else _ROOMS:
                self.add_command(_built(name), name)
        return known or super().get_command(ctx, cmd_name)


def _built(name: str) -> Command:
    around = typer.Typer(rich_markup_mode=None)
    around.add_typer(import_module(f"mozi_cli.{_ROOMS[name]}").app, name=name)
    return get_group(around).commands[name]
