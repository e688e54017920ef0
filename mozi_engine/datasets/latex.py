"""LaTeX as a language model is to read it: the body, as RedPajama keeps it, without what says nothing.

The source stays LaTeX, formulas and all. Turned into plain text by pylatexenc, a paper lost whole passages
(9,000 characters of one became 188), and another took 4.5 s; both are in RedPajama's own sample.
"""

from __future__ import annotations

import re
from pathlib import Path

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff]")
_COMMENT = re.compile(r"^[ \t]*%.*\n?|(?<!\\)%.*", re.MULTILINE)
_SILENT = re.compile(r"\\begin\{(comment|thebibliography)\}.*?\\end\{\1\}", re.DOTALL)
_POINTERS = re.compile(r"\\(?:label|bibliography|bibliographystyle|input|include)\{[^{}]*\}")
_SPACES = re.compile(r"[ \t]+$", re.MULTILINE)
_LINES = re.compile(r"\n{3,}")
_INPUT = re.compile(r"\\(?:input|include)\s*\{([^{}]+)\}")
_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_BEGINNING = re.compile(r"(?:[\s\ufeff]|%.*+)*+\\[a-zA-Z]")
_DEEPEST = 8  # files within files; a file that inputs itself ends there


def clean(text: str) -> str:
    """The body without comments, bibliography, labels, control characters and runs of empty lines."""
    text = _lines(text)
    body = _BODY.search(text)
    text = _COMMENT.sub("", _CONTROL.sub("", body[1] if body else text))
    return tidy(_POINTERS.sub("", _SILENT.sub("", text)))


def tidy(text: str) -> str:
    """Any text without control characters, spaces at lines' ends and runs of empty lines."""
    text = _CONTROL.sub("", _lines(text))
    return _LINES.sub("\n\n", _SPACES.sub("", text)).strip()


def is_source(text: str) -> bool:
    """Whether it begins with a command: that of its class, or a section's, as in RedPajama's sample.

    Commands further on tell nothing: the formulas of plain text are often LaTeX.
    """
    return _BEGINNING.match(text) is not None


def assemble(path: Path, depth: int = 0) -> str:
    """A main file with the files that it inputs in their places; one that is not there leaves nothing.

    Only files within the main file's folder are read. Raises OSError where the file cannot be read.
    """
    return _assembled(path, path.parent.resolve(), depth)


def is_main(text: str) -> bool:
    """Whether this file is a paper's main one, to begin from."""
    return "\\documentclass" in text and "\\begin{document}" in text


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _assembled(path: Path, folder: Path, depth: int) -> str:
    text = path.read_bytes().decode("utf-8", "replace")

    def inserted(found: re.Match[str]) -> str:
        name = found[1].strip()
        for file in (folder / name, folder / f"{name}.tex"):
            if depth < _DEEPEST and file.resolve().is_relative_to(folder) and file.is_file():
                return _assembled(file, folder, depth + 1)
        return ""

    return _INPUT.sub(inserted, _COMMENT.sub("", text))
