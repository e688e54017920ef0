"""Where a paper comes from: a path, a URL, or arXiv. What is fetched is kept, and fetched once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mozi_engine import files
from mozi_engine.errors import PaperError
from mozi_engine.types import Progress

if TYPE_CHECKING:
    import httpx

ARXIV = "https://arxiv.org/pdf/"
# The month, and a number of four digits up to the end of 2014, of five since; or the form before April 2007.
_ARXIV_ID = re.compile(
    r"(?:(?:0[7-9]|1[0-4])\d\d\.\d{4}|(?:1[5-9]|[2-9]\d)\d\d\.\d{5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?"
)
_ABOUT = re.compile(rf"https?://(?:[a-z]+\.)?arxiv\.org/abs/(?P<id>{_ARXIV_ID.pattern})/?")
_MEGABYTE = 1_000_000


def locate(
    reference: str, *, max_megabytes: int = 200, arxiv: str = ARXIV, stall_seconds: float = 30
) -> Iterator[Progress | Path]:
    """Find a paper by path, http(s) URL or arXiv id ("arxiv:1805.02262"); the last item is its file.

    A path is returned as it is, whether or not something is there. A URL is fetched unless it was
    before, in steps of Progress in bytes. Raises PaperError, and SettingsError for a proxy that is none.
    """
    url = address(reference, arxiv)
    if url is None:
        yield files.expanded(reference)
        return
    target = files.cache_dir() / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.pdf"
    if not target.exists():
        yield from _fetch(url, target, max_megabytes, stall_seconds)
    yield target


def address(reference: str, arxiv: str = ARXIV) -> str | None:
    """The URL that a reference means, or None for a path. Fetches nothing.

    An arXiv id may stand alone, where no file is called so, or in the address of the page about the paper.
    Raises PaperError for what can be neither.
    """
    text = reference.strip()
    scheme, colon, rest = text.partition(":")
    if scheme.casefold() == "arxiv" and colon:
        if not _ARXIV_ID.fullmatch(rest):
            raise PaperError(
                f"{rest!r} is not an arXiv id", "for example arxiv:1805.02262 or arxiv:cs/0112017"
            )
        return arxiv + rest
    if _ARXIV_ID.fullmatch(text) and not files.expanded(text).exists():
        return arxiv + text
    if scheme.casefold() in ("http", "https") and rest.startswith("//"):
        about = _ABOUT.fullmatch(text)
        return arxiv + about["id"] if about else text
    if rest.startswith("//"):
        raise PaperError(f"{scheme}:// is not supported", "give a path, an https:// URL, or arxiv:ID")
    return None


def _fetch(url: str, target: Path, max_megabytes: int, stall_seconds: float) -> Iterator[Progress]:
    # Here, so that a paper on the disk is opened without loading an HTTP client.
    import httpx

    from mozi_engine import download

    timeout = httpx.Timeout(stall_seconds, connect=min(10, stall_seconds))
    try:
        with download.client() as http, http.stream("GET", url, timeout=timeout) as response:
            _check(response, url, max_megabytes)
            yield from _save(response, url, target, max_megabytes)
    except httpx.TimeoutException as error:
        raise PaperError(
            f"{url} stopped answering for {stall_seconds:g} s", "try again, or download it yourself"
        ) from error
    except httpx.InvalidURL as error:
        raise PaperError(f"{url} is not a URL: {error}", "check it") from error
    except httpx.HTTPError as error:
        raise PaperError(f"cannot fetch {url}: {error}", "check the network and the URL") from error


def _check(response: httpx.Response, url: str, max_megabytes: int) -> None:
    if response.status_code == 404:
        raise PaperError(f"there is nothing at {url} (404)", "check the URL")
    if response.status_code >= 400:
        raise PaperError(
            f"{url} was refused ({response.status_code} {response.reason_phrase})",
            "open it in a browser, download the PDF, and give its path",
        )
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > max_megabytes * _MEGABYTE:
        raise _too_large(url, max_megabytes)


def _save(response: httpx.Response, url: str, target: Path, max_megabytes: int) -> Iterator[Progress]:
    length = response.headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    head, done = b"", 0
    with files.atomic(target) as file:
        for piece in response.iter_bytes(1 << 16):
            file.write(piece)
            done += len(piece)
            head = (head + piece)[:1024] if len(head) < 1024 else head
            if len(head) >= 1024 and b"%PDF" not in head:
                raise _not_a_pdf(url)
            if done > max_megabytes * _MEGABYTE:
                raise _too_large(url, max_megabytes)
            yield Progress("downloading the paper", done, total, "bytes")
        if b"%PDF" not in head:
            raise _not_a_pdf(url)


def _not_a_pdf(url: str) -> PaperError:
    return PaperError(f"{url} is not a PDF", "give the address of the PDF itself, not of the page about it")


def _too_large(url: str, max_megabytes: int) -> PaperError:
    return PaperError(f"{url} is larger than {max_megabytes} MB", "raise download_megabytes in settings.toml")
