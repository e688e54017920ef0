"""The user's settings: a TOML file, then environment variables, strictly checked."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mozi_engine.errors import SettingsError
from mozi_engine.files import config_dir

_CHOICES = {
    "engine": ("llamacpp", "remote", "torch"),
    "precision": ("auto", "float32", "bfloat16", "nf4"),
}
_MAY_BE_ZERO = ("threads", "states_gigabytes")
_KEYS = "keys."
_LOCALE = re.compile(r"([A-Za-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?)?[A-Za-z]{2}(\.[\w-]+)?(@\w+)?|")


@dataclass(frozen=True, slots=True)
class Settings:
    """One attribute a key of `settings.toml`; `MOZI_<KEY>` in the environment wins over the file."""

    model: str = "qwen2.5-coder-1.5b"
    engine: str = "llamacpp"  # or "remote": any OpenAI-compatible server at base_url; or "torch"
    adapter: str = ""  # a LoRA on the model: a training's run in the torch engine, a .gguf file in llama.cpp
    precision: str = "auto"  # of the torch engine's weights: their own, float32, bfloat16, or nf4 (4 bits)
    base_url: str = ""
    passages: int = 4  # how many passages an answer is made from
    context: int = 16384  # tokens: of the paper, the conversation and the answer together
    states_gigabytes: float = 4.0  # what the models' memories of papers may take on the disk
    threads: int = 0  # 0: one a physical core
    pdf_seconds: int = 120  # time limit for one paper, plus a second a page
    pdf_gigabytes: float = 3.0  # memory limit for reading one paper
    download_megabytes: int = 200  # largest PDF that is fetched from a URL
    locale: str = ""  # whose helplines are named: a country (CN) or en-GB, zh_TW; "": as the environment says
    theme: str = "mozi-dark"  # the colours of the full screen
    keys: tuple[tuple[str, str], ...] = ()  # action, its keys: of the table [keys], in the file only

    @property
    def elsewhere(self) -> str:
        """The host that prompts are sent to, if that is another machine; "" where they stay on this one."""
        if self.engine != "remote":
            return ""
        host = urlsplit(self.base_url).hostname or ""
        try:
            here = (address := ip_address(host)).is_loopback or address.is_unspecified
        except ValueError:
            here = host == "localhost" or host.endswith(".localhost")
        return "" if here else host


_KINDS = {field.name: type(field.default) for field in fields(Settings) if field.name != "keys"}


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file (`config_dir()/settings.toml`, which need not exist) and the environment.

    Raises SettingsError, with the line, on an unknown key, a wrong type or a file that is not TOML. What
    the actions and keys of [keys] may be called is the screen's to say.
    """
    in_file = _from_file(path or _file())
    in_environment = _from_environment(os.environ if environ is None else environ)
    return Settings(**in_file | in_environment)


def chosen(
    model: str | None = None,
    engine: str | None = None,
    base_url: str | None = None,
    adapter: str | None = None,
) -> Settings:
    """The person's settings with what a command was given instead; what was given says which engine.

    An address means a server, a training's adapter torch, and one that is a .gguf file llama.cpp.
    """
    if engine is None and base_url:
        engine = "remote"
    elif engine is None and adapter:
        engine = "llamacpp" if adapter.endswith(".gguf") else "torch"
    given: dict[str, Any] = {"model": model, "engine": engine, "base_url": base_url, "adapter": adapter}
    return replace(load(), **{name: value for name, value in given.items() if value is not None})


def _from_file(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for name, value in _flat(_read(path)).items():
        try:
            _check(name, name, value, str if name.startswith(_KEYS) else _kind(name))
        except SettingsError as error:
            raise SettingsError(f"{place(name, path)}: {error.message}", hint=error.hint) from error
        if name.startswith(_KEYS):
            keys[name.removeprefix(_KEYS)] = value
        else:
            values[name] = value
    return values | {"keys": tuple(keys.items())}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        variable = f"MOZI_{name.upper()}"
        if text := environ.get(variable):
            values[name] = _from_text(variable, text, kind)
            _check(variable, name, values[name], kind)
    return values


def place(name: str, path: Path | None = None) -> str:
    """Where in the settings file a key is set, for a message: "…/settings.toml, line 7".

    `name` is the key with its tables' names and dots before it: "keys.open".
    """
    path = path or _file()
    lines = path.read_text("utf-8").split("\n")
    for number in range(1, len(lines) + 1):
        # The first so many lines that hold it, since TOML's reader tells no places.
        try:
            given = _flat(tomllib.loads("\n".join(lines[:number])))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value
        if name in given:
            return f"{path}, line {number}"
    return str(path)


def _file() -> Path:
    return config_dir() / "settings.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: {error}", hint="correct the file, or move it away") from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Tables in tables as one, with dots: `next` in [keys.page] is "keys.page.next"."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _from_text(variable: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable}={text!r} is not {_a(kind)}", hint=f"give {_a(kind)}") from error


def _kind(name: str) -> type:
    if name in _KINDS:
        return _KINDS[name]
    close = difflib.get_close_matches(name, _KINDS, n=1)
    known = f"known keys: {', '.join(_KINDS)}, and the table [keys]"
    meant = f"did you mean {close[0]!r}?" if close else known
    raise SettingsError(f"unknown key {name!r}", hint=meant)


def _check(shown: str, name: str, value: Any, kind: type) -> None:
    """Raise SettingsError unless the value will do; `shown` is what the person called it."""
    if not (type(value) is kind or (kind is float and type(value) is int)):
        raise SettingsError(f"{shown} = {value!r} is not {_a(kind)}", hint=f"give {_a(kind)}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise SettingsError(f"{shown} = {value!r}", hint=f"one of {', '.join(_CHOICES[name])}")
    if name == "locale" and not _LOCALE.fullmatch(str(value)):
        raise SettingsError(f"{shown} = {value!r}", hint="a country such as CN, or a locale such as en-GB")
    zero = name in _MAY_BE_ZERO
    if isinstance(value, int | float) and not (0 < value < math.inf or (zero and value == 0)):
        hint = "give zero or more" if zero else "give more than zero"
        raise SettingsError(f"{shown} = {value!r} is out of range", hint=hint)


def _a(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text"}[kind]
