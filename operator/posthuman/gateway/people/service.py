"""What this API's routes work with, made once for each application."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

from posthuman.gateway.people.access import Access
from posthuman.gateway.people.callers import Caller, name_of
from posthuman.gateway.people.identity import Identity
from posthuman.gateway.problems import too_many
from posthuman.gateway.rates import Buckets
from posthuman.gateway.service import Gateway


class People:
    """Callers, and what they may do."""

    def __init__(self, gateway: Gateway) -> None:
        limits = gateway.settings.limits
        self.gateway = gateway
        self.access = Access(gateway.access, gateway.settings)
        self._identity = Identity(gateway)
        self._rates = Buckets(limits.requests_per_second, limits.requests_at_once)

    async def visitor_of(self, request: Request[Any, Any, Any]) -> Visitor:
        """Raises Problem: 401, and 429 for one who asks too often; TransientError."""
        caller = await self._identity.of(request)
        if wait := self._rates.take(name_of(caller)):
            raise too_many("you ask this gateway too often", wait)
        return Visitor(caller)


class Visitor:
    """Who asks, in a form that Litestar passes on as it is."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller


Injected = NamedDependency[People]
"""What a handler declares: `people: Injected`."""
Asking = NamedDependency[Visitor]
"""Who asks: `visitor: Asking`. A handler without it is for everybody."""
