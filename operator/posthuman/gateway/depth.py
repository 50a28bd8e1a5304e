"""A body that is no text or nested too deep is refused before anything decodes it, on every route.

A decoder calls itself for each bracket, and a library below web3 raises the interpreter's own limit
so far that some 50 KiB of brackets end the process.
"""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from posthuman.gateway.problems import Problem

BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_HEADERS = ("content-length", "transfer-encoding")  # a request without either has no body
MAX_DEPTH = 200  # a job's parameters may have 64 levels
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


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


def is_deep(body: bytes) -> bool:
    """Whether more than MAX_DEPTH brackets are open at once, those in strings apart."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _BRACKETS.finditer(body):
        first = body[token.start()]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MAX_DEPTH:
            return True
    return False
