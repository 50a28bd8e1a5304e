"""Passes of one process that all want the same Lease at the same moment."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from posthuman.errors import Conflict, NotFound
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.leases import RENEW_AFTER_SECONDS, Leases
from posthuman.kube.resources import Resource


class OneLease:
    """An API server with one Lease, written at the resourceVersion it was read at."""

    def __init__(self) -> None:
        self.stored: Body | None = None
        self.version = 0
        self.writes = 0

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        await asyncio.sleep(0)
        if self.stored is None:
            raise NotFound(name)
        return {
            "metadata": {"name": name, "resourceVersion": str(self.version)},
            "spec": dict(self.stored["spec"]),
        }

    async def create(self, resource: Resource, body: Body) -> None:
        await asyncio.sleep(0)
        if self.stored is not None:
            raise Conflict("exists", "AlreadyExists")
        self._store(body)

    async def replace(self, resource: Resource, body: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("changed")
        self._store(body)

    def _store(self, body: Body) -> None:
        self.stored, self.version, self.writes = body, self.version + 1, self.writes + 1


async def test_one_process_does_not_take_itself_for_another() -> None:
    server, now = OneLease(), [0.0]
    leases = Leases(cast(KubeClient, server), "ops", "me", lambda: now[0])
    for turn in (1, 2):
        assert all(await asyncio.gather(*(leases.hold("signer") for _ in range(8))))
        assert server.writes == turn
        now[0] += RENEW_AFTER_SECONDS
