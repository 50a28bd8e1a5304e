"""The laptop's Cluster for the port's contract (tests/contracts/test_cluster.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from posthuman.api.meta import Key
from posthuman.api.parse import Resource
from posthuman.local.cluster import LocalCluster
from posthuman.local.programs import Machine
from tests.kube.worlds import FakeWorld


class LaptopWorld:
    """Objects in memory as on the fake, and real processes."""

    tenant = FakeWorld.tenant
    work = FakeWorld.work

    def __init__(self, workdir: Path) -> None:
        self._fake = FakeWorld()
        self.cluster = LocalCluster(self._fake.objects, workdir, Machine(algorithms=workdir))

    async def create(self, resource: Resource) -> None:
        await self._fake.create(resource)

    async def put_secret(self, name: str, content: Mapping[str, bytes]) -> None:
        await self._fake.put_secret(name, content)

    def lend(self, name: str, content: Mapping[str, bytes]) -> None:
        """A Secret of a person's own."""
        self._fake.objects.put_secret(Key(self.tenant, name), content)

    async def settle(self) -> None: ...


@asynccontextmanager
async def laptop_world(workdir: Path) -> AsyncIterator[LaptopWorld]:
    """With the credentials that the contract's stage step names; no process is left after it."""
    world = LaptopWorld(workdir)
    await world.put_secret("store", {"accessKeyId": b"id", "secretAccessKey": b"key"})
    try:
        yield world
    finally:
        await world.cluster.close()
