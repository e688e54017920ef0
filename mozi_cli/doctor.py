"""`mozi doctor`: what is here, what is missing, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mozi_engine.doctor import Check

MARKS = {"ok": "✓", "note": "!", "problem": "✗"}
STYLES = {"ok": "green", "note": "yellow", "problem": "red"}


def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Also see whether the hub and the package index answer.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash the models again: seconds each.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """See whether everything is here that chatting needs. Exit code 1 when something is broken."""
    from mozi_engine import doctor as engine

    checks = chain(engine.examine(network=network, verify=verify), _keys())
    found = _print_json(checks) if json else _print(checks)
    if "problem" in found:
        raise typer.Exit(1)


def _keys() -> Iterator[Check]:
    """Whether the keys that the settings change are keys, of actions that there are."""
    from mozi_cli.tui import keys
    from mozi_engine import settings
    from mozi_engine.doctor import Check
    from mozi_engine.errors import SettingsError

    with suppress(SettingsError):  # settings that cannot be read are a finding already
        chosen = settings.load().keys
        try:
            keys.keymap(chosen)
        except SettingsError as error:
            yield Check("keys", "problem", error.message, error.hint)


def _print_json(checks: Iterable[Check]) -> list[str]:
    import json
    from dataclasses import asdict

    rows = [asdict(check) for check in checks]
    typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    return [row["state"] for row in rows]


def _print(checks: Iterable[Check]) -> list[str]:
    """Each finding as it is made."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    states: list[str] = []
    for check in checks:
        states.append(check.state)
        console.print(
            Text.assemble((MARKS[check.state], STYLES[check.state]), f" {check.name}: {check.detail}")
        )
        if check.remedy:
            console.print(Text(f"  → {check.remedy}", style="dim"))
    return states
