"""A nonce belongs to the first request that it came with.

The provider signs `owner [+ jobId] + nonce` and nothing else of its request, so whoever sees one
request could use its signature for another. Here a nonce is bound to (signer, method, route,
arguments): the same request again, as a provider's own retry, is the same request; any other with
that nonce is refused. "Not older than the last" would refuse honest calls that a threaded provider
sends out of order. A nonce is `time.time_ns()`: one of another time than now is refused, so what is
remembered may be forgotten.

Requests that change something are remembered in the API server, for all replicas and over restarts.
Reads are remembered in memory: they cost no write.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from posthuman.gateway.ports import JobAccess
from posthuman.gateway.problems import Problem

if TYPE_CHECKING:
    from posthuman.ports import Clock

MAX_REMEMBERED = 300_000  # about 80 MB; 1,000 requests a second, for five minutes
NANOSECONDS = 1_000_000_000


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a nonce is bound to. `arguments`: all of them, as they came, without the signature."""

    signer: str
    nonce: int
    method: str
    route: str
    arguments: bytes

    @property
    def nonce_digest(self) -> str:
        """Names the nonce of this signer: 40 hex digits."""
        return _digest(self.signer.lower(), str(self.nonce))[:40]

    @property
    def digest(self) -> str:
        """Names the request: 64 hex digits."""
        arguments = hashlib.sha256(self.arguments).hexdigest()
        return _digest(self.signer.lower(), str(self.nonce), self.method, self.route, arguments)


class _Known(NamedTuple):
    """A request that a nonce came with."""

    digest: str
    nonce: int


class Nonces:
    """One replica's memory of all requests, and the shared one of those that change something."""

    def __init__(self, access: JobAccess, clock: Clock, limit_seconds: float) -> None:
        self._access = access
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()  # by nonce_digest

    def __len__(self) -> int:
        """How many requests are remembered."""
        return len(self._known)

    async def bind(self, request: SignedRequest, *, changes: bool) -> None:
        """Raises Problem where the nonce isn't of now, or belongs to another request."""
        self._refuse_old(request.nonce)
        known = self._remember(request)
        if changes and known == request.digest:
            expires_at = request.nonce / NANOSECONDS + 2 * self._limit_seconds
            known = await self._access.use_nonce(request.nonce_digest, known, expires_at)
            self._known[request.nonce_digest] = _Known(known, request.nonce)  # all replicas' word
        if known != request.digest:
            raise Problem(
                400,
                f"Invalid signature: nonce {request.nonce} was used for another request already; "
                "sign this one with a nonce of its own",
            )

    def _remember(self, request: SignedRequest) -> str:
        """The digest of the request that the nonce belongs to, as far as this replica knows."""
        found = self._known.setdefault(request.nonce_digest, _Known(request.digest, request.nonce))
        oldest = (self._clock.now().timestamp() - self._limit_seconds) * NANOSECONDS
        while self._known and (
            len(self._known) > MAX_REMEMBERED or next(iter(self._known.values())).nonce < oldest
        ):
            self._known.popitem(last=False)
        return found.digest

    def _refuse_old(self, nonce: int) -> None:
        now = self._clock.now().timestamp()
        age = now - nonce / NANOSECONDS
        if abs(age) <= self._limit_seconds:
            return
        oldest = int((now - self._limit_seconds) * NANOSECONDS)
        newest = int((now + self._limit_seconds) * NANOSECONDS)
        expected = f"> current nonce ({nonce})" if age > 0 else f"< current nonce ({nonce})"
        raise Problem(
            400,
            f"Invalid signature expected nonce ({oldest if age > 0 else newest}) {expected}. "
            "A nonce is the time in nanoseconds (time.time_ns()), at most "
            f"{self._limit_seconds:.0f} s from this server's clock.",
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
