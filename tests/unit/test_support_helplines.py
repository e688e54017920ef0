"""The helplines: dated, with sources, and those of the place where the person is."""

from __future__ import annotations

import datetime
import re
import tomllib
from importlib.resources import files

import pytest

from mozi_engine.errors import SettingsError
from mozi_engine.settings import load
from mozi_engine.support import helplines

TABLE = tomllib.loads(files("mozi_engine.support").joinpath("helplines.toml").read_text("utf-8"))


def contacts(locale: str, language: str = "", **environ: str) -> list[str]:
    return [line.contact for line in helplines.find(locale, language, environ).lines]


def test_the_file_is_dated_and_complete() -> None:
    assert datetime.date.fromisoformat(helplines.known()) >= datetime.date(2026, 11, 1)
    codes = [code for country in TABLE["country"] for code in country["codes"]]
    assert len(codes) == len(set(codes))
    assert {"CN", "TW", "HK", "JP", "US", "GB", "IE"} <= set(codes)
    for country in TABLE["country"]:
        assert re.fullmatch(r"\d{2,3}( / \d{2,3})*", country["emergency"])
        assert country["lines"]
        for line in country["lines"]:
            assert set(line) == {"name", "contact", "source"}
            assert re.fullmatch(r"[\d /-]{3,}", line["contact"])
            assert line["source"].startswith("https://")


@pytest.mark.parametrize(
    ("locale", "number"),
    [
        ("CN", "12356"),
        ("zh_CN.UTF-8", "12356"),
        ("zh-Hans-CN", "12356"),
        ("zh_TW", "1925"),
        ("HK", "2389 2222"),
        ("en-GB", "116 123"),
        ("en_IE", "116 123"),
        ("US", "988"),
        ("de_DE@euro", "0800 111 0 111"),
    ],
)
def test_the_setting_decides(locale: str, number: str) -> None:
    assert number in contacts(locale, "Chinese", LANG="en_US.UTF-8")


def test_the_environment_is_the_guess_and_the_language_corrects_it() -> None:
    assert "988" in contacts("", "English", LANG="en_US.UTF-8")
    assert "116 123" in contacts("", "English", LC_ALL="en_GB.UTF-8", LANG="en_US.UTF-8")
    assert "12356" in contacts("", "Chinese", LANG="en_US.UTF-8")
    assert "1925" in contacts("", "Chinese", LANG="zh_TW.UTF-8")


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "C.UTF-8", "en", "AQ", "xx_XX", "??", "../..", "\x00"])
def test_an_unknown_place_gets_the_worlds_directory(locale: str) -> None:
    found = helplines.find("", "English", {"LANG": locale})
    assert [line.contact for line in found.lines] == ["https://findahelpline.com"]
    assert not found.emergency


@pytest.mark.parametrize("value", ["China", "1", "en-", "C N", "zh_CN_TW_X"])
def test_a_locale_that_is_none_is_an_error_of_the_settings(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={"MOZI_LOCALE": value})
    assert "CN" in caught.value.hint


@pytest.mark.parametrize("value", ["CN", "en-GB", "zh_TW.UTF-8", "zh-Hant-HK"])
def test_a_locale_is_a_setting(value: str) -> None:
    assert load(environ={"MOZI_LOCALE": value}).locale == value
