"""Two operators on a real API server, two jobs, one order: exactly one of them starts.

Each operator has a cache of its own, as a leader has and one that was stopped and doesn't know yet
that it is no leader any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import JobStatus
from posthuman.api.meta import Key
from posthuman.errors import Conflict
from posthuman.jobs.reconcile import JobReconciler
from posthuman.ports import OrderClaim
from tests.builders import CHAIN, asset, environment, job
from tests.jobs.shop import TOKEN, Shop, inputs
from tests.kube.builders import IMAGES
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, in_world, real_world

pytestmark = pytest.mark.cluster

PASSES = 8
SECONDS = 60


class Operator:
    """One process. With a `meeting` it goes there before it takes an order. Jobs and claims are the
    API server's; environment and model are this test's alone, so that nobody else looks after
    them who may be installed there."""

    def __init__(
        self, world: RealWorld, shop: Shop, meeting: asyncio.Barrier | None = None
    ) -> None:
        self._world = RealWorld(world.connection, world.work.removeprefix("work-"), IMAGES)
        self._meeting = meeting
        self._lost = False
        policy = {"verifyOrders": True}
        self._offered = environment(chain=CHAIN, policy=policy, workNamespace=world.work)
        ports: Any = self
        self._reconciler: JobReconciler = shop.with_ports(ports)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.cluster, name)

    async def environment(self, name: str) -> ComputeEnvironment:
        return self._offered

    async def asset(self, key: Key, fresh: bool = False) -> ModelAsset:
        sold = asset()
        status = msgspec.structs.replace(sold.status, datatoken=TOKEN)
        return msgspec.structs.replace(sold, status=status)

    async def save_order_claim(self, claim: OrderClaim) -> None:
        if self._meeting is not None:
            await self._meeting.wait()
        try:
            await self._world.cluster.save_order_claim(claim)
        except Conflict:
            self._lost = True
            raise

    async def pursue(self, key: Key) -> bool:
        """Pass by pass; False if somebody else was first."""
        for _ in range(PASSES):
            await self._world.settle()
            try:
                await self._reconciler.reconcile(key)
            except Conflict:
                if self._lost:
                    return False
        return True

    async def close(self) -> None:
        """Give up its connections."""
        await self._world.progress.close()
        await self._world.cluster.close()
        await self._world.client.close()

    async def status(self, key: Key) -> JobStatus:
        """As it is stored."""
        found = await self._world.cluster.job(key, fresh=True)
        assert found
        return found.status


@pytest.fixture
async def world(cluster_facts: Mapping[str, str]) -> AsyncIterator[RealWorld]:
    async with real_world(apply_crds(cluster_facts)) as world:
        yield world


async def submitted(world: RealWorld, name: str) -> Key:
    """A training of Bob's on the one order."""
    await world.create(in_world(world, job(name, inputs=inputs()), name))
    return Key(world.tenant, name)


async def test_one_order_starts_one_job(world: RealWorld) -> None:
    shop, meeting = Shop(), asyncio.Barrier(2)
    keys = [await submitted(world, name) for name in ("one", "two")]
    racers = [Operator(world, shop, meeting) for _ in keys]
    async with asyncio.timeout(SECONDS):
        won = await asyncio.gather(*(r.pursue(key) for r, key in zip(racers, keys, strict=True)))
    assert sorted(won) == [False, True]
    later = Operator(world, shop)
    for key in keys:
        assert await later.pursue(key)
    ended = [await later.status(key) for key in keys]
    for operator in (*racers, later):
        await operator.close()
    assert [is_true(status.conditions, "Accepted") for status in ended] == won
    loser = ended[won.index(False)]
    why = find_condition(loser.conditions, "Succeeded")
    assert why and why.reason == "OrderInUse"
    assert str(keys[won.index(True)]) in why.message
