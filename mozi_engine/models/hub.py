"""Files on the Hugging Face hub, or a mirror of it, over plain HTTPS."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx

from mozi_engine import download
from mozi_engine.download import Unavailable
from mozi_engine.models.catalog_file import Hub
from mozi_engine.types import Progress


def fetch(source: Hub, part: Path, label: str, size: int) -> Iterator[Progress]:
    """Bring the file into `part`, as `download.fetch` does. `HF_TOKEN` opens what is gated."""
    with download.client(os.environ.get("HF_TOKEN", "")) as http:
        yield from download.fetch(http, url(source), part, label, size)


def endpoint() -> str:
    """The hub, or the mirror of it that `HF_ENDPOINT` names."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def url(source: Hub) -> str:
    """Where the hub gives the file."""
    return f"{endpoint()}/{source.repo}/resolve/{source.revision}/{source.file}"


def declared(source: Hub) -> tuple[str, int]:
    """The sha256 and the size in bytes that the hub declares for a large file.

    They stand in the answer that redirects to the file's storage, so that redirect is not followed;
    one within the hub (a repository with a new name) is. Raises Unavailable when they are not told.
    """
    with download.client(os.environ.get("HF_TOKEN", "")) as http, download.asking(url(source)):
        where = httpx.URL(url(source))
        for _ in range(4):
            answer = http.head(where, follow_redirects=False)
            digest = answer.headers.get("X-Linked-Etag", "").strip('"')
            size = answer.headers.get("X-Linked-Size", "")
            if re.fullmatch(r"[0-9a-f]{64}", digest) and size.isdecimal():
                return digest, int(size)
            if answer.next_request is None or answer.next_request.url.netloc != where.netloc:
                break
            where = answer.next_request.url
    if not answer.has_redirect_location:
        download.check(answer)
    raise Unavailable(
        f"{where.host} declares no sha256 for {source.repo}/{source.file}",
        hint="give the publisher's with: mozi models add NAME --hub REPO/FILE --sha256 …",
    )
