"""Errors as answers: Ocean's routes say {"error": …}, all others problem+json (RFC 9457)."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from posthuman.errors import Conflict, NotFound, TransientError, UserError

logger = logging.getLogger(__name__)

OCEAN_PREFIX = "/api/v1/operator"
PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class Problem(Exception):
    """An answer that refuses: `status` is HTTP's, the message a sentence for the caller."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.reason = reason


def too_many(message: str, wait_seconds: float) -> Problem:
    """A Problem to raise; clients wait as long as it says."""
    seconds = max(1, math.ceil(wait_seconds))
    headers = {"Retry-After": str(seconds)}
    return Problem(429, f"{message}; wait {seconds} s", headers, "TooManyRequests")


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457; `reason` is one CamelCase word, as in a condition."""

    title: str
    status: int
    detail: str
    reason: str = ""
    type: str = "about:blank"


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The one place where an exception becomes an answer."""
    status, detail, reason, headers = _told(error)
    if status >= 500 and not isinstance(error, TransientError):
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    if request.url.path.startswith(OCEAN_PREFIX):
        body: Any = {"error": detail}
        media_type = "application/json"
    else:
        title = HTTPStatus(status).phrase
        body = ProblemDetails(title=title, status=status, detail=detail, reason=reason)
        media_type = PROBLEM_JSON
    return Response(
        msgspec.json.encode(body), status_code=status, headers=headers, media_type=media_type
    )


def _told(error: Exception) -> tuple[int, str, str, dict[str, str]]:
    """Status, sentence, reason, headers."""
    match error:
        case Problem():
            return error.status, str(error), error.reason, error.headers
        case Conflict():
            return 409, str(error), error.reason, {}
        case TransientError():
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return 503, str(error), error.reason, headers
        case NotFound():
            return 404, str(error), error.reason, {}
        case UserError():
            return 400, str(error), error.reason, {}
        case HTTPException():
            reason = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
            return error.status_code, _sentence(error), reason, dict(error.headers or {})
        case _:
            return 500, "an error of the gateway's own; its log says more", "InternalError", {}


def _sentence(error: HTTPException) -> str:
    """What the framework refused, argument by argument where it says which."""
    if error.status_code == 413:
        return "the body is too large for this gateway; bring large data in as an upload"
    found = error.extra if isinstance(error.extra, list) else []
    named = [f"{one.get('key', '')}: {one.get('message', '')}" for one in found if one]
    return "; ".join(named) or error.detail
