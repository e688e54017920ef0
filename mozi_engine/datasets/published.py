"""Where the raw data are published, under which licence, and how they get here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mozi_engine import download, files
from mozi_engine.download import Unavailable
from mozi_engine.errors import DataError
from mozi_engine.models import hub
from mozi_engine.types import Progress

REDPAJAMA = "RedPajama's arXiv part keeps each paper's own licence (see arXiv's terms of use)"
_ADDRESS = re.compile(r"https?://[!-~]+/[\w-]{1,100}\.jsonl")
_QASPER = "https://qasper-dataset.s3.us-west-2.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Published:
    """A public file: the name it has on the disk, and its address."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Publication:
    """A public data set."""

    licence: str
    files: tuple[Published, ...]


def publication(kind: str) -> Publication | None:
    """Where `qasper`, `dolly` or `arxiv` (a sample of RedPajama) is published; None: not public."""
    return {
        "qasper": Publication(
            "QASPER is CC BY 4.0 (Dasigi et al., 2021)",
            tuple(
                Published(name, f"{_QASPER}/{name}")
                for name in ("qasper-train-dev-v0.3.tgz", "qasper-test-and-evaluator-v0.3.tgz")
            ),
        ),
        "dolly": Publication(
            "databricks-dolly-15k is CC BY-SA 3.0",
            (_on_the_hub("databricks/databricks-dolly-15k", "databricks-dolly-15k.jsonl"),),
        ),
        "arxiv": Publication(
            REDPAJAMA,
            (_on_the_hub("togethercomputer/RedPajama-Data-1T-Sample", "arxiv_sample.jsonl"),),
        ),
    }.get(kind)


def _on_the_hub(repo: str, name: str) -> Published:
    return Published(name, f"{hub.endpoint()}/datasets/{repo}/resolve/main/{name}")


def redpajama(count: int, raw: Path) -> Iterator[Progress | Published]:
    """The first `count` of RedPajama's 100 arXiv files, 300 million tokens each. Raises like `fetch`."""
    repo, name = "togethercomputer/RedPajama-Data-1T", "urls/arxiv.txt"
    listed = Published("urls.txt", f"{hub.endpoint()}/datasets/{repo}/resolve/main/{name}")
    yield from fetch([listed], raw)
    path = raw / listed.name
    addresses = path.read_text("utf-8", "replace").split()[:count]
    if not addresses or not all(map(_ADDRESS.fullmatch, addresses)):
        raise DataError(f"{path} does not list RedPajama's files", hint="remove it; it is fetched again")
    for url in addresses:
        yield Published(url.rpartition("/")[2], url)


def fetch(wanted: Sequence[Published], raw: Path) -> Iterator[Progress]:
    """Bring the files that `raw` does not have yet. Closing the iterator stops; the next fetch goes on.

    Raises DataError, naming the file to put there and where it is published, when one cannot be had.
    """
    try:
        raw.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.unwritable(raw, error) from error
    for file in wanted:
        if (raw / file.name).exists():
            continue
        part = raw / f".{file.name}.part"
        try:
            with download.client(_token(file)) as http:
                yield from download.fetch(http, file.url, part, file.name)
        except Unavailable as error:
            hint = f"without a network, put {file.name} into {raw}; it is published at {file.url}"
            raise DataError(f"{file.name} cannot be fetched: {error.message}", hint=hint) from error
        download.settle(part, raw / file.name)


def _token(file: Published) -> str:
    return os.environ.get("HF_TOKEN", "") if file.url.startswith(hub.endpoint()) else ""
