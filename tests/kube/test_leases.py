"""Leases of two processes on the real API server, with each one's clock in the test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from posthuman.kube.leases import DURATION_SECONDS, RENEW_AFTER_SECONDS, Leases
from posthuman.kube.resources import LEASES
from tests.kube.worlds import RealWorld, real_world

pytestmark = pytest.mark.cluster


class Process:
    """One operator process and its clock."""

    def __init__(self, world: RealWorld) -> None:
        self.now = 1000.0
        self.leases: Leases = world.leases(lambda: self.now)

    async def holds(self) -> str:
        return await self.leases.hold("signer")


@pytest.fixture
async def world(cluster_kubeconfig: Path) -> AsyncIterator[RealWorld]:
    async with real_world(cluster_kubeconfig) as world:
        yield world


async def version(world: RealWorld) -> str:
    body = await world.client.get(LEASES, world.work, "signer")
    return str(body["metadata"]["resourceVersion"])


async def test_one_holds_it_and_the_other_waits_until_it_is_silent(world: RealWorld) -> None:
    first, second = Process(world), Process(world)
    assert await first.holds()
    assert not await second.holds()
    second.now += DURATION_SECONDS - 1
    first.now += DURATION_SECONDS - 1
    assert await first.holds()  # renewed
    assert not await second.holds()
    second.now += DURATION_SECONDS - 1
    assert not await second.holds()
    second.now += 2
    assert await second.holds()
    first.now += RENEW_AFTER_SECONDS + 1
    assert not await first.holds()


async def test_it_is_renewed_only_when_a_third_has_passed(world: RealWorld) -> None:
    process = Process(world)
    assert await process.holds()
    before = await version(world)
    process.now += RENEW_AFTER_SECONDS - 1
    assert await process.holds()
    assert await version(world) == before
    process.now += 2
    assert await process.holds()
    assert await version(world) != before


async def test_what_was_released_is_free_at_once(world: RealWorld) -> None:
    first, second = Process(world), Process(world)
    assert await first.holds()
    assert not await second.holds()
    await first.leases.release()
    assert await second.holds()


async def test_each_term_is_an_epoch_of_its_own(world: RealWorld) -> None:
    first, second = Process(world), Process(world)
    epochs = [await first.holds()]
    assert await first.holds() == epochs[0]
    first.now += RENEW_AFTER_SECONDS + 1
    assert await first.holds() == epochs[0]  # renewed
    await first.leases.release()
    epochs.append(await second.holds())
    await second.leases.release()
    epochs.append(await first.holds())
    assert all(epochs)
    assert len(set(epochs)) == 3
