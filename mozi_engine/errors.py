"""What can go wrong for a person, as opposed to in the code.

MoziError                 anything outside the code; shown as one line and a next step
├── PaperError            the PDF: missing, damaged, too large, too slow
│   └── PasswordError     the PDF is encrypted, and the password is missing or wrong
├── ModelError            a model: unknown, not on disk, wrong hash, will not load
├── QuestionError         the question: empty, too long
├── DataError             a data file or cache entry that cannot be used
├── SettingsError         a settings file or environment variable that does not parse
├── RecipeError           a training's recipe, or a change to it, that cannot be followed
└── ServerError           a remote server: refused, timed out, answered nonsense

Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations


class MoziError(Exception):
    """A failure with a next step. `message` says what happened, `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PaperError(MoziError):
    """The paper cannot be opened or read."""


class PasswordError(PaperError):
    """The PDF is encrypted and the password is missing or wrong."""


class ModelError(MoziError):
    """The model cannot be found, verified or loaded."""


class QuestionError(MoziError):
    """The question cannot be answered as it was asked."""


class DataError(MoziError):
    """A data file cannot be used."""


class SettingsError(MoziError):
    """A settings file or environment variable cannot be used."""


class RecipeError(MoziError):
    """A training's recipe cannot be followed."""


class ServerError(MoziError):
    """A remote server failed."""
