from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import ProgressBar

from mozi_cli.tui.choices import Choices
from mozi_cli.tui.confirm import ConfirmScreen
from mozi_cli.tui.models_screen import ModelsScreen
from mozi_engine import doctor
from mozi_engine.errors import ModelError
from mozi_engine.models import catalog
from mozi_engine.models.catalog import ModelSpec
from mozi_engine.types import Progress
from tests.tui.host import SIZES, Host, listed, said, screen_text, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def small(tmp_path: Path) -> ModelSpec:
    """A model of a few bytes, whose file lies on this disk and has not been checked yet."""
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF" * 10)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return ModelSpec(
        "small", "小 Model", file=file.name, bytes=40, sha256=digest, sources=(f"file:{file}",), licence="MIT"
    )


def other(name: str = "other", size: int = 1000) -> ModelSpec:
    return ModelSpec(name, "Other [b]model[/b]", file="o.gguf", bytes=size, sha256="0" * 64, verified=True)


class Slow:
    """A download that waits to be let on, and notes that it was stopped."""

    def __init__(self) -> None:
        self.go, self.stopped = threading.Semaphore(0), threading.Event()

    def __call__(self, spec: ModelSpec) -> Iterator[Progress]:
        try:
            for done in (0, 250, 500, 1000):
                yield Progress(f"fetching {spec.name}", done, 1000, "bytes")
                self.go.acquire(timeout=10)
        finally:
            self.stopped.set()


@pytest.mark.parametrize("size", SIZES)
async def test_the_shipped_catalogue_is_listed(size: tuple[int, int]) -> None:
    screen = ModelsScreen("qwen2.5-coder-1.5b")
    app = Host(screen)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(listed(screen)) == len(catalog.load()))
        assert "qwen2.5-coder-1.5b  ● in use" in listed(screen)
        await until(pilot, lambda: "1.1 GB · not on disk" in "".join(screen_text(app)))
        assert "Apache-2.0" in "".join(screen_text(app))
        assert "context 32,768" in "".join(screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


async def test_a_model_is_fetched_then_switched_to(small: ModelSpec) -> None:
    screen = ModelsScreen("other", lambda: (other(), small))
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: listed(screen) == ["other  ● in use", "small"])
        await pilot.press("down", "enter")
        await until(pilot, lambda: "✗ small is not on this disk: p fetches it (40 bytes)" in said(screen))
        await pilot.press("p")
        await until(pilot, lambda: "✓ small is ready" in said(screen))
        assert "✓ on disk" in "".join(screen_text(app))
        assert screen.query_one(Choices).chosen == "small"
        await pilot.press("enter")
        await until(pilot, lambda: app.left == ["small"])


async def test_progress_shows_and_escape_stops_before_it_leaves() -> None:
    slow = Slow()
    screen = ModelsScreen("x", lambda: (other(),), pull=slow)
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("p")
        slow.go.release()
        await until(pilot, lambda: "of 1.0 kB" in said(screen))
        slow.go.release()
        slow.go.release()
        await until(pilot, lambda: screen.query_one(ProgressBar).percentage == 1)
        await pilot.press("p", "d")  # one at a time
        await pilot.press("escape")
        await until(pilot, lambda: "stopped" in said(screen))
        slow.go.release()
        await until(pilot, slow.stopped.is_set)
        assert not screen.query_one(ProgressBar).display
        assert app.left == []
        await pilot.press("escape")
        await until(pilot, lambda: app.left == [None])


async def test_what_a_stopped_download_still_says_is_not_heard() -> None:
    slow = Slow()
    screen = ModelsScreen("x", lambda: (other(),), pull=slow)
    async with Host(screen).run_test() as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "fetching" in said(screen))
        await pilot.press("escape")
        for _ in range(4):
            slow.go.release()
        await until(pilot, slow.stopped.is_set)
        await pilot.pause(0.1)
        assert said(screen) == "stopped; p goes on from here"


async def test_a_download_that_fails_says_why() -> None:
    def fail(spec: ModelSpec) -> Iterator[Progress]:
        yield Progress("fetching", 1, None, "bytes")
        raise ModelError("the hub [refused]", hint="try later")

    screen = ModelsScreen("x", lambda: (other(),), pull=fail)
    async with Host(screen).run_test() as pilot:
        await pilot.press("p")
        await until(pilot, lambda: said(screen) == "✗ the hub [refused]: try later")
        await pilot.press("p")
        await until(pilot, lambda: said(screen) == "✗ the hub [refused]: try later")


async def test_removing_asks_first_and_says_what_it_freed(small: ModelSpec) -> None:
    list(catalog.pull(small))
    removed: list[str] = []

    def remove(spec: ModelSpec) -> int:
        removed.append(spec.name)
        return 40

    screen = ModelsScreen("other", lambda: (small, other()), remove=remove)
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: listed(screen))
        await pilot.press("g", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert removed == []
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: said(screen) == "small is removed; 40 bytes freed")
        assert removed == ["small"]
        await pilot.press("G", "d")
        await until(pilot, lambda: "other is in use" in said(screen))


async def test_what_cannot_be_removed_is_said() -> None:
    def refuse(spec: ModelSpec) -> int:
        raise ModelError("it is open elsewhere", hint="close it")

    screen = ModelsScreen("x", lambda: (other(),), remove=refuse)
    app = Host(screen)
    async with app.run_test() as pilot:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: said(screen) == "✗ it is open elsewhere: close it")


async def test_a_model_too_large_for_the_memory_is_asked_about(
    small: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(catalog.pull(small))
    monkeypatch.setattr(doctor, "OVERHEAD", 10**15)
    screen = ModelsScreen("other", lambda: (small,))
    app = Host(screen)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "✗ too large" in "".join(screen_text(app)))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.left == ["small"])


async def test_a_torch_model_is_not_switched_to() -> None:
    screen = ModelsScreen("qwen2.5-coder-1.5b", lambda: [s for s in catalog.load() if s.engine == "torch"])
    async with Host(screen).run_test() as pilot:
        await until(pilot, lambda: listed(screen))
        await pilot.press("enter")
        await until(pilot, lambda: "fetched by hand" in said(screen) and said(screen).startswith("✗"))
        await pilot.press("p")
        await until(pilot, lambda: "cannot be pulled" in said(screen))


async def test_an_empty_catalogue_is_no_error() -> None:
    app = Host(ModelsScreen("x", tuple))
    async with app.run_test() as pilot:
        await pilot.press("p", "d", "enter", "escape")
        await until(pilot, lambda: app.left == [None])
