"""A body that is no text or nested too deep is refused before anything decodes it, on every route.

A sentence, and 400, instead of a decoder's RecursionError.
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from jobkit.nesting import MAX_DEPTH, is_deep
from posthuman.gateway.problems import Problem

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_HEADERS = ("content-length", "transfer-encoding")  # a request without either has no body


async def refuse_deep_body(request: Request[Any, Any, Any]) -> None:
    """Litestar's `before_request`. Raises Problem; the body then is there for whoever needs it."""
    if request.method in BODILESS and not any(request.headers.get(name) for name in BODY_HEADERS):
        return
    body = await request.body()
    if not _is_text(body):
        raise Problem(400, "the body is no UTF-8 text; encode it so", reason="NoText")
    if is_deep(body):
        raise Problem(
            400,
            f"the body is nested more than {MAX_DEPTH} levels deep; flatten it",
            reason="NestedTooDeep",
        )


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
