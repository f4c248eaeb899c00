"""Every error as a problem document (RFC 9457): the only place where errors become HTTP.

Answers to the caller's own mistakes carry the error's words. What goes wrong on our side is told in
fixed words, for an error's text may hold a path or an address; the log has it, under the request id.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from dantaro.api.facts import RequestFacts, facts_of
from dantaro.errors import (
    ConfigurationError,
    DantaroError,
    Forbidden,
    InvalidRequest,
    NotFound,
    RequestError,
    RetryLater,
    TooManyRequests,
    Unauthorized,
)

_log = structlog.get_logger(__name__)

PROBLEM_TYPE = b"application/problem+json"
RETRY_SECONDS = 5
_STATUS_OF: Mapping[type[RequestError], int] = {
    InvalidRequest: 422,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    TooManyRequests: 429,
}
_CODE_OF_STATUS: Mapping[int, str] = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    414: "query_too_long",
}
_LOG_SECONDS = 60.0
_SHOWN_ERRORS = 10
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem answer; `more` are additional members, `headers` additional headers."""

    status: int
    code: str
    detail: str
    more: Mapping[str, object] = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def body(self, request_id: str) -> bytes:
        """The JSON document."""
        document = {
            "type": f"urn:dantaro:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        return orjson.dumps(document | dict(self.more))

    def all_headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        """The headers that go with `body`."""
        return [
            (b"content-type", PROBLEM_TYPE),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]


def problem_of(error: Exception) -> Problem:
    """The problem that answers `error`."""
    if isinstance(error, RequestError):
        return _mistake(error)
    if isinstance(error, RetryLater):
        return _unavailable("unavailable", "what this needs cannot be reached now; try again later")
    if isinstance(error, ConfigurationError):
        return _unavailable(
            "not_configured", "the server's set-up must be mended; its log says how"
        )
    if isinstance(error, TimeoutError):
        return _unavailable("timeout", "this took too long; try again later")
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _of_status(error)
    return Problem(500, "internal_error", "the server failed; its log has the request id")


def install(app: FastAPI, failures: "Failures") -> None:
    """Let every error of `app`'s routes be answered by a problem, and logged by `failures`."""
    app.state.failures = failures
    for error in (DantaroError, RequestValidationError, HTTPException, TimeoutError, Exception):
        app.add_exception_handler(error, _answer)


class Failures:
    """Logs what goes wrong on our side; the caller's mistakes are counted, not logged.

    While a backend is away every request that needs it fails alike: the first of each code is logged,
    then one a minute with the number of those between.
    """

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def log(self, error: Exception, facts: RequestFacts, problem: Problem) -> None:
        """Log `error`, which is answered by `problem`, unless it is one of many."""
        if problem.status < 500:
            return
        expected = isinstance(error, DantaroError | TimeoutError)
        now = time.monotonic()
        if expected and now - self._logged_at.get(problem.code, -math.inf) < _LOG_SECONDS:
            self._unlogged[problem.code] = self._unlogged.get(problem.code, 0) + 1
            return
        self._logged_at[problem.code] = now
        (_log.warning if expected else _log.error)(
            "request_failed",
            request_id=facts.request_id,
            path=facts.path,
            code=problem.code,
            reason=str(error),
            more_before=self._unlogged.pop(problem.code, 0),
            exc_info=None if expected else error,
        )


async def _answer(request: Request, error: Exception) -> Response:
    facts = facts_of(request.scope)
    problem = problem_of(error)
    if problem.code != "internal_error":  # that one is raised again, and logged by the edge
        request.app.state.failures.log(error, facts, problem)
    body = problem.body(facts.request_id)
    response = Response(body, status_code=problem.status)
    response.raw_headers = problem.all_headers(body)
    return response


def _mistake(error: RequestError) -> Problem:
    status = next(s for kind, s in _STATUS_OF.items() if isinstance(error, kind))
    more: dict[str, object] = {}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, NotFound) and error.nearest:
        more["nearest"] = list(error.nearest)
    if isinstance(error, Unauthorized):
        headers = ((b"www-authenticate", b'Bearer realm="dantaro"'),)
    return Problem(status, error.code, str(error), more, headers)


def _unavailable(code: str, detail: str) -> Problem:
    return Problem(503, code, detail, headers=((b"retry-after", b"%d" % RETRY_SECONDS),))


def _invalid(error: RequestValidationError) -> Problem:
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            why = str(fault.get("ctx", {}).get("error", "it cannot be read"))
            detail = f"the body is not JSON: {why}, at character {fault['loc'][-1]}"
            return Problem(400, _CODE_OF_STATUS[400], detail)
    faults = [_fault(fault) for fault in error.errors()[:_SHOWN_ERRORS]]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    return Problem(422, InvalidRequest.code, detail, {"errors": faults})


def _fault(fault: Mapping[str, object]) -> dict[str, str]:
    location = fault["loc"]
    names = location[1:] if isinstance(location, Sequence) and len(location) > 1 else location
    name = ".".join(map(str, names)) if isinstance(names, Sequence) else str(names)
    message = str(fault["msg"])
    given = fault.get("input")
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        text = str(given)
        message += f", not {text[:_SHOWN_CHARACTERS]!r}"
    return {"field": name[:_SHOWN_CHARACTERS], "message": message}


def _of_status(error: HTTPException) -> Problem:
    details = {
        404: "there is no such path; /docs lists those that exist",
        405: "this path does not answer that method",
    }
    if error.status_code == 400:  # what the framework says of a body that is not text
        return Problem(400, _CODE_OF_STATUS[400], "the body is not JSON: it is not UTF-8 text")
    detail = details.get(error.status_code, str(error.detail))
    code = _CODE_OF_STATUS.get(error.status_code, "request_error")
    headers = tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in (error.headers or {}).items()
    )
    return Problem(error.status_code, code, detail, headers=headers)
