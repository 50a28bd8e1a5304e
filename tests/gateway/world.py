"""A gateway over the fakes, and the provider that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from posthuman.gateway.app import create_app
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings
from tests.builders import HeldClock
from tests.fakes.gateway import FakeAccess, FakeFilesOf

NAMESPACE = "ocean"


class World:
    """One API server and one store, shared by as many replicas as a test asks for."""

    def __init__(self) -> None:
        self.clock = HeldClock()
        self.access = FakeAccess(self.clock)
        self.files_of = FakeFilesOf()

    def gateway(self) -> Gateway:
        """A replica that has just started: it remembers nothing."""
        settings = GatewaySettings(namespace=NAMESPACE, also_namespaces=("bob",))
        return Gateway(self.access, self.files_of, self.clock, settings)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """HTTP to a replica of its own."""
        app = cast(Any, create_app(self.gateway()))  # httpx's and Litestar's ASGI types differ
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


def json_of(response: httpx.Response) -> Any:
    return response.json()


Arguments = Mapping[str, Any]
