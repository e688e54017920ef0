"""Who to call, where the person is: from a file that ships with mozi, dated and with sources."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Any

# A language alone, such as "en", names no country; a country alone is written in capitals.
_LOCALE = re.compile(r"(?:[a-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?([A-Za-z]{2})|([A-Z]{2}))(?:\.[\w-]+)?(?:@\w+)?")
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # POSIX's order


@dataclass(frozen=True, slots=True)
class Helpline:
    """A line that is staffed by people; `contact` is a number or an address, `source` who publishes it."""

    name: str
    contact: str
    source: str


@dataclass(frozen=True, slots=True)
class Help:
    """The lines of one country and its emergency number; "" where the country is not known."""

    country: str
    emergency: str
    lines: tuple[Helpline, ...]


def find(locale: str, language: str, environ: Mapping[str, str] | None = None) -> Help:
    """Help for the setting `locale`; without it, as the environment and the message's language suggest.

    Many computers in China speak English to their owners, so a guess gives way to the language that the
    person writes. findahelpline.com, which knows the lines of 130 countries, always comes last.
    """
    country = country_of(locale)
    if not country:
        country = _guessed(os.environ if environ is None else environ, language)
    known = _countries().get(country)
    return known or Help("", "", (_anywhere(),))


def country_of(locale: str) -> str:
    """The country in a locale, in capitals: CN, en-GB, zh_TW.UTF-8; "" where there is none."""
    found = _LOCALE.fullmatch(locale)
    return (found[1] or found[2]).upper() if found else ""


def _guessed(environ: Mapping[str, str], language: str) -> str:
    given = next((value for name in _VARIABLES if (value := environ.get(name))), "")
    country = country_of(given)
    if language == "Chinese" and country not in ("CN", "TW", "HK", "SG", "MO"):
        return "CN"
    return country


@cache
def _countries() -> Mapping[str, Help]:
    found: dict[str, Help] = {}
    for table in _table()["country"]:
        lines = (*(Helpline(**line) for line in table["lines"]), _anywhere())
        found |= {code: Help(code, table["emergency"], lines) for code in table["codes"]}
    return found


def _anywhere() -> Helpline:
    return Helpline(**_table()["anywhere"])


def known() -> str:
    """The day on which the numbers were written down, as 2026-11-22."""
    day: str = _table()["known"]
    return day


@cache
def _table() -> Any:
    return tomllib.loads(package_files("mozi_engine.support").joinpath("helplines.toml").read_text("utf-8"))
