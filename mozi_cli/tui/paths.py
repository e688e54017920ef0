"""Completing the path of a paper as it is typed: folders and PDFs. Pure but for looking at the disk."""

from __future__ import annotations

import os
import re
import unicodedata
from itertools import islice
from pathlib import Path

from mozi_engine import files

LOOKED_AT = 20_000  # entries of one folder; more would be felt while typing


def complete(typed: str) -> list[str]:
    """What the path could go on as, folders ending in "/", in the spelling of what was typed ("~" stays).

    A last part that begins with a dot finds hidden names too. Empty where there is no such folder.
    """
    folder, part = _split(typed)
    wanted = _plain(part)
    try:
        with os.scandir(files.expanded(folder or ".")) as entries:
            found = [entry for entry in islice(entries, LOOKED_AT) if _plain(entry.name).startswith(wanted)]
    except (OSError, ValueError):
        return []
    named = [folder + entry.name + _ending(entry) for entry in found if _offered(entry, part)]
    return sorted(named, key=lambda name: (not name.endswith("/"), _plain(name)))


def further(typed: str, completions: list[str]) -> str:
    """What was typed, longer by what all completions have in common; the one there is, whole."""
    if len(completions) == 1:
        return completions[0]
    common = os.path.commonprefix([unicodedata.normalize("NFC", name) for name in completions])  # noqa: RUF071
    return common if len(common) > len(typed) else typed


def unwrapped(pasted: str) -> str:
    """A reference as terminals paste it on drag and drop: without quotes, file:// and backslashes."""
    text = pasted.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if text.casefold().startswith("file://"):
        from urllib.parse import unquote, urlsplit

        text = unquote(urlsplit(text).path)
    if os.sep == "/" and "\\" in text and not files.expanded(text).exists():
        text = re.sub(r"\\(.)", r"\1", text)
    return text


def is_path(text: str) -> bool:
    """Whether it can only be meant as a path: it names a folder, or a PDF."""
    return "/" in text or os.sep in text or text.startswith("~") or Path(text).suffix.casefold() == ".pdf"


def _split(typed: str) -> tuple[str, str]:
    """The folder as it was typed, with its last "/", and the part of a name after it."""
    if typed == "~":
        return "~/", ""
    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    return typed[:cut], typed[cut:]


def _offered(entry: os.DirEntry[str], part: str) -> bool:
    if entry.name.startswith(".") and not part.startswith("."):
        return False
    return _is_folder(entry) or entry.name.casefold().endswith(".pdf")


def _ending(entry: os.DirEntry[str]) -> str:
    return "/" if _is_folder(entry) else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _plain(name: str) -> str:
    """The name for comparing: one spelling of accents, no case."""
    return unicodedata.normalize("NFC", name).casefold()
