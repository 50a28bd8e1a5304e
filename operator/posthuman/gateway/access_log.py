"""One line of JSON a request: enough to find out what happened, nothing that could be used again.

A query string holds signatures, nonces and sometimes secrets, so only the names below are logged.
"""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import parse_qsl

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from posthuman.gateway.json_log import REQUEST
from posthuman.gateway.metrics import GatewayMetrics

logger = logging.getLogger("posthuman.gateway.access")

LOGGED_ARGUMENTS = frozenset({"jobId", "agreementId", "owner", "index", "chainId", "limit"})
SEEN = "posthuman_access_log"  # in the scope's state: this request is logged here
MAX_ARGUMENT_CHARS = 100
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})  # probes say nothing new


class AccessLog(ASGIMiddleware):
    """Logs each answer when its last byte is sent, or when it breaks off."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count what passes."""
        entry = _Entry(scope)
        scope["state"][SEEN] = True

        async def counted(message: Message) -> None:
            entry.sees(message)
            await send(message)

        try:
            await next_app(scope, receive, counted)
        finally:
            entry.log(self._metrics)

    async def log_unrouted(self, error: Exception, scope: Scope) -> None:
        """Litestar's `after_exception`: a request that no route takes passes no middleware."""
        if scope["type"] == ScopeType.HTTP and SEEN not in scope["state"]:
            entry = _Entry(scope)
            entry.refused(error)
            entry.log(self._metrics)


class _Entry:
    """What is known of one request by now."""

    def __init__(self, scope: Scope) -> None:
        self._began = time.monotonic()
        self._scope = scope
        self._status = 0
        self._bytes = 0
        self._complete = False

    def sees(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._bytes += len(message["body"])
            self._complete = not message.get("more_body", False)

    def refused(self, error: Exception) -> None:
        self._status = getattr(error, "status_code", 500)
        self._complete = True

    def log(self, metrics: GatewayMetrics) -> None:
        seconds = time.monotonic() - self._began
        method, route = (str(self._scope.get(name, "")) for name in ("method", "path_template"))
        metrics.answered(method, route, self._status, seconds, self._bytes)
        if self._scope["path"] in QUIET_PATHS and self._status < 400:
            return
        logger.info("%s %s %d", method, self._scope["path"], self._status, extra=self._extra())

    def _extra(self) -> dict[str, Any]:
        return {REQUEST: self._line()}

    def _line(self) -> dict[str, Any]:
        client = self._scope.get("client")
        return {
            "method": self._scope.get("method", ""),
            "path": self._scope["path"],
            "arguments": logged_arguments(self._scope.get("query_string", b"")),
            "status": self._status,
            "bytes": self._bytes,
            "complete": self._complete,
            "milliseconds": round((time.monotonic() - self._began) * 1000, 1),
            "client": client[0] if client else "",
        }


def logged_arguments(query: bytes) -> dict[str, str]:
    """Those arguments of a query string that identify without giving away."""
    pairs = parse_qsl(query.decode("latin-1"))
    return {name: value[:MAX_ARGUMENT_CHARS] for name, value in pairs if name in LOGGED_ARGUMENTS}
