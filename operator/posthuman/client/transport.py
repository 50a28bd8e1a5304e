"""Requests to a gateway, tried again where that can help, with refusals as our errors."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from posthuman.client.credentials import Credentials
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.gateway.people.wallet_text import Asked

TRIES = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
SILENCE_SECONDS = 600.0  # of a followed log; any other answer comes sooner
AGAIN = frozenset({429, 502, 503, 504})
BROKEN = (OSError, http.client.HTTPException)  # urllib's own URLError is an OSError


class Answered(msgspec.Struct, frozen=True):
    """The part of a problem (RFC 9457) that is shown."""

    detail: str = ""
    reason: str = ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials go to the gateway that was named and nowhere else."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


class Transport:
    """One gateway. `sleep` and `tries` are for tests and for the impatient."""

    def __init__(
        self,
        url: str,
        credentials: Credentials | None,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        """Raises UserError for what is no http(s) URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
            raise UserError(f"{url!r} is no gateway's URL; write it like https://gateway.example")
        self.sleep = sleep
        self._base = url.rstrip("/")
        self._host = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._credentials = credentials
        self._tries = tries
        self._opener = urllib.request.build_opener(_NoRedirect)

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The whole answer. Raises NotFound, UserError, TransientError."""
        for again in range(self._tries):
            try:
                with self.open(method, path, body) as response:
                    return bytes(response.read())
            except BROKEN as error:
                self._pause_or_raise(again, error)
        raise AssertionError("the last try raises")

    def open(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Any:
        """An open answer, to be read in pieces and closed. Raises as `call` does."""
        for again in range(self._tries):
            request = self._request(method, path, body, headers or {})
            try:
                return self._opener.open(request, timeout=SILENCE_SECONDS)
            except urllib.error.HTTPError as refusal:
                with refusal:
                    self._refused(again, refusal)
            except BROKEN as error:
                self._pause_or_raise(again, error)
        raise AssertionError("the last try raises")

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> urllib.request.Request:
        """Signed anew each time: a nonce is good for five minutes."""
        asked = Asked(method=method, host=self._host, target=self._prefix + path, body=body)
        known = {"Authorization": self._credentials.header(asked)} if self._credentials else {}
        content = {"Content-Type": "application/json"} if body else {}
        return urllib.request.Request(
            self._base + path,
            data=body or None,
            method=method,
            headers={**known, **content, **headers},
        )

    def _refused(self, again: int, refusal: urllib.error.HTTPError) -> None:
        """Raises, or waits as long as it was told to."""
        if refusal.code not in AGAIN or again + 1 == self._tries:
            raise _error_of(refusal.code, refusal.read())
        asked = refusal.headers.get("Retry-After", "")
        self.sleep(float(asked) if asked.isdigit() else _pause(again))

    def _pause_or_raise(self, again: int, error: Exception) -> None:
        if again + 1 == self._tries:
            raise TransientError(
                f"the gateway {self._base} can't be reached: {error}; check the URL, and that it "
                "runs",
                "GatewayUnreachable",
            ) from error
        self.sleep(_pause(again))


def path_to(*parts: str) -> str:
    """Below the API's prefix; a part's slashes are its own and stay."""
    return "/api/v1/" + "/".join(quote(part, safe="/") for part in parts)


def _pause(again: int) -> float:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**again)


def _error_of(status: int, raw: bytes) -> Exception:
    try:
        problem = msgspec.json.decode(raw, type=Answered)
    except msgspec.MsgspecError:
        problem = Answered(f"HTTP {status}: {raw[:300].decode(errors='replace')}")
    message, reason = problem.detail or f"HTTP {status}", problem.reason or f"Http{status}"
    if status == 404:
        return NotFound(message, reason)
    if status in AGAIN or status >= 500:
        return TransientError(message, reason)
    return UserError(message, reason)
