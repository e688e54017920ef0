"""What the tests of the screen share: they run in asyncio, by anyio's plugin, which httpx brings along."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
