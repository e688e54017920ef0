"""The user's settings: a TOML file, then environment variables, strictly checked."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mozi_engine.errors import SettingsError
from mozi_engine.files import config_dir

ENGINES = ("llamacpp", "remote")
_MAY_BE_ZERO = ("threads", "states_gigabytes")
_LOCALE = re.compile(r"([A-Za-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?)?[A-Za-z]{2}(\.[\w-]+)?(@\w+)?|")


@dataclass(frozen=True, slots=True)
class Settings:
    """One attribute a key of `settings.toml`; `MOZI_<KEY>` in the environment wins over the file."""

    model: str = "qwen2.5-coder-1.5b"
    engine: str = "llamacpp"  # or "remote": any OpenAI-compatible server at base_url
    base_url: str = ""
    passages: int = 4  # how many passages an answer is made from
    context: int = 16384  # tokens: of the paper, the conversation and the answer together
    states_gigabytes: float = 4.0  # what the models' memories of papers may take on the disk
    threads: int = 0  # 0: one a physical core
    pdf_seconds: int = 120  # time limit for one paper, plus a second a page
    pdf_gigabytes: float = 3.0  # memory limit for reading one paper
    download_megabytes: int = 200  # largest PDF that is fetched from a URL
    locale: str = ""  # whose helplines are named: a country (CN) or en-GB, zh_TW; "": as the environment says


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file (`config_dir()/settings.toml`, which need not exist) and the environment.

    Raises SettingsError on an unknown key, a wrong type or a file that is not TOML.
    """
    path = path or config_dir() / "settings.toml"
    environ = os.environ if environ is None else environ
    values = _read(path)
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    for name, value in values.items():
        if name not in kinds:
            raise _unknown(path, name, kinds)
        _check(f"{path}: {name}", name, value, kinds[name])
    for name, kind in kinds.items():
        variable = f"MOZI_{name.upper()}"
        if text := environ.get(variable):
            values[name] = _from_text(variable, text, kind)
            _check(variable, name, values[name], kind)
    return Settings(**values)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: {error}", hint="correct the file, or move it away") from error


def _from_text(variable: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable}={text!r} is not {_a(kind)}", hint=f"give {_a(kind)}") from error


def _unknown(path: Path, name: str, known: Iterable[str]) -> SettingsError:
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return SettingsError(f"{path}: unknown key {name!r}", hint=meant)


def _check(place: str, name: str, value: Any, kind: type) -> None:
    """Raise SettingsError unless the value will do; `place` is where it was given."""
    if not (type(value) is kind or (kind is float and type(value) is int)):
        raise SettingsError(f"{place} = {value!r} is not {_a(kind)}", hint=f"give {_a(kind)}")
    if name == "engine" and value not in ENGINES:
        raise SettingsError(f"{place} = {value!r}", hint=f"one of {', '.join(ENGINES)}")
    if name == "locale" and not _LOCALE.fullmatch(str(value)):
        raise SettingsError(f"{place} = {value!r}", hint="a country such as CN, or a locale such as en-GB")
    zero = name in _MAY_BE_ZERO
    if isinstance(value, int | float) and not (0 < value < math.inf or (zero and value == 0)):
        hint = "give zero or more" if zero else "give more than zero"
        raise SettingsError(f"{place} = {value!r} is out of range", hint=hint)


def _a(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text"}[kind]
