"""What goes wrong as HTTP says it: a status, and one shape of JSON, {"error": {"message", "hint"}}."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mozi_engine.errors import MoziError, PaperError, QuestionError, ServerError, SettingsError

_STATUS = (
    (QuestionError, 400),
    (SettingsError, 400),
    (PaperError, 422),
    (ServerError, 502),  # the model's, behind this one
)
_HINTS = {404: "GET / names every path", 405: "GET / names every path and its method"}


class Refused(MoziError):
    """A request that is not served; `status` is HTTP's for why."""

    def __init__(
        self, status: int, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.headers = dict(headers or {})


def body(error: MoziError) -> str:
    """The error as JSON."""
    return json.dumps({"error": {"message": error.message, "hint": error.hint}}, ensure_ascii=False)


def response(error: MoziError) -> Response:
    """The error as a response; what the person cannot have caused is 500."""
    if isinstance(error, Refused):
        return Response(body(error), error.status, error.headers, "application/json")
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return Response(body(error), status, media_type="application/json")


def refused(_: Request, error: Exception) -> Response:
    """The handler of MoziError."""
    assert isinstance(error, MoziError)  # noqa: S101  for the type checker: it is registered for no other
    return response(error)


def unrouted(_: Request, error: Exception) -> Response:
    """The handler of Starlette's own errors: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101  for the type checker
    hint = _HINTS.get(error.status_code, "")
    return response(Refused(error.status_code, error.detail.lower(), hint, error.headers))


def unforeseen(_: Request, __: Exception) -> Response:
    """The handler of bugs: their traceback is the server's terminal's, not the client's."""
    hint = "what went wrong stands where `mozi serve` runs; please report it"
    return JSONResponse({"error": {"message": "mozi failed", "hint": hint}}, 500)


def left(_: Request, __: Exception) -> Response:
    """The handler of a client that left before it had sent everything: nobody hears this."""
    return Response(status_code=400)
