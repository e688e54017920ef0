"""The catalogue's TOML: one table a model, read strictly, edited without touching the user's other lines."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mozi_engine import files
from mozi_engine.errors import ModelError

Engine = Literal["llamacpp", "torch"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}|")
_LOCAL = re.compile(r"file:(?P<path>.+)")
_HUB = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<file>[\w./-]+))?(?:@(?P<revision>[\w./-]+))?")
_PYPI = re.compile(r"pypi:(?P<name>[\w.-]+)\{1\.\.(?P<count>\d+)\}==(?P<version>[\w.]+)#(?P<piece>[1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Local:
    """A file that is already there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Hub:
    """A file of a hub repository ("" for the whole repository) at a branch, tag or commit."""

    repo: str
    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """A file cut into wheels on the package index, `name` followed by 1 to `count`.

    Each holds the next `piece` bytes of the file, the last one what is left.
    """

    name: str
    count: int
    version: str
    piece: int


Source = Local | Hub | Pieces


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the catalogue describes it.

    `bytes` is 0 and `sha256` is "" where the publisher's figure is not known yet; `context` is in tokens;
    `verified` says that mozi was tested with it; `base` and `adapter` are hub repositories of a torch model.
    """

    name: str
    title: str = ""
    engine: Engine = "llamacpp"
    file: str = ""
    bytes: int = 0
    sha256: str = ""
    sources: tuple[str, ...] = ()
    licence: str = ""
    context: int = 4096
    verified: bool = False
    base: str = ""
    adapter: str = ""
    note: str = ""


def source(text: str) -> Source:
    """Read a source as `catalog.toml` describes it. Raises ModelError when it is none."""
    if found := _LOCAL.fullmatch(text):
        return Local(files.expanded(found["path"]))
    if found := _HUB.fullmatch(text):
        return Hub(found["repo"], found["file"] or "", found["revision"] or "main")
    if found := _PYPI.fullmatch(text):
        return Pieces(found["name"], int(found["count"]), found["version"], int(found["piece"]))
    forms = "file:PATH, hub:OWNER/REPO/FILE@REVISION or pypi:NAME{1..COUNT}==VERSION#BYTES"
    raise ModelError(f"{text!r} is not a model source", hint=f"a source is {forms}")


def tables(path: Path) -> dict[str, dict[str, Any]]:
    """The file's tables by model name; none when there is no file. Raises ModelError unless it is TOML."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ModelError(f"{path}: {error}", hint="correct the file, or move it away") from error
    for name, table in found.items():
        if not isinstance(table, dict):
            raise ModelError(
                f"{path}: {name!r} is not a table of a model", hint='begin each model with ["name"]'
            )
    return found


def spec(path: Path, name: str, table: Mapping[str, Any]) -> ModelSpec:
    """The table as a model. Raises ModelError, naming the file, on a key or value that is wrong."""
    where = f'{path}, ["{name}"]'
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} is not a name for a model", hint="small letters and digits; then also . _ -"
        )
    for key, value in table.items():
        _check(where, key, value)
    model = ModelSpec(name=name, **{**table, "sources": tuple(table.get("sources", ()))})
    places = [source(text) for text in model.sources]
    whole = any(isinstance(place, Hub) and not place.file for place in places)
    if model.engine == "llamacpp" and (whole or not model.file or not places):
        raise ModelError(f"{where}: needs a file, and sources that name one", hint="mozi models add --help")
    if any(isinstance(place, Pieces) for place in places) and not (model.bytes and model.sha256):
        raise ModelError(f"{where}: a pypi source needs bytes and sha256", hint="the publisher tells both")
    return model


def _check(where: str, key: str, value: Any) -> None:
    if key not in _VALUES:
        close = difflib.get_close_matches(key, _VALUES, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(_VALUES)}"
        raise ModelError(f"{where}: unknown key {key!r}", hint=meant)
    holds, wanted = _VALUES[key]
    if not holds(value):
        raise ModelError(f"{where}: {key} = {json.dumps(value, default=str)} is not {wanted}")


def write(path: Path, name: str, table: Mapping[str, Any]) -> None:
    """Put the table into the file, in place of the one of that name if there is one."""
    lines = [f"[{json.dumps(name)}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    _save(path, [*_without(path, name), "", *lines])


def drop(path: Path, name: str) -> None:
    """Take the table of that name out of the file."""
    _save(path, _without(path, name))


def _without(path: Path, name: str) -> list[str]:
    """The file's lines but for that table; comments and every other table stay as they are."""
    kept: list[str] = []
    inside = False
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        if opened := _opened_by(line):
            inside = opened == name
        if not inside:
            kept.append(line)
    return kept


def _opened_by(line: str) -> str:
    """The name of the table that the line opens; "" for any other line."""
    try:
        return next(iter(tomllib.loads(line)), "") if line.lstrip().startswith("[") else ""
    except tomllib.TOMLDecodeError:
        return ""  # a line of a text that only looks like it


def _save(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines).strip() + "\n"
    with files.atomic(path) as file:
        file.write(text.encode())


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return _is_text(value) and value == Path(value).name != ".."


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "title": (_is_text, "a text"),
    "engine": (lambda value: value in ("llamacpp", "torch"), "llamacpp or torch"),
    "file": (_is_name, "a file's name without a folder"),
    "bytes": (_is_count, "a whole number"),
    "sha256": (lambda value: _is_text(value) and bool(_SHA256.fullmatch(value)), "64 hexadecimal digits"),
    "sources": (lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of texts"),
    "licence": (_is_text, "a text"),
    "context": (_is_count, "a whole number"),
    "verified": (lambda value: isinstance(value, bool), "true or false"),
    "base": (_is_text, "a text"),
    "adapter": (_is_text, "a text"),
    "note": (_is_text, "a text"),
}
