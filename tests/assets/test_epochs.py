"""A leader that was stopped and wakes up stale does no harm, wherever it was stopped."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.reconcile import AssetReconciler
from posthuman.chain_ports import Ledger
from posthuman.errors import Conflict
from posthuman.ledger.encryptor import ProviderEncryptor
from posthuman.ports import Cluster
from tests.assets.world import EFFECTS, REWARD_WEI, World, always, at_rest, begun, model_asset
from tests.fakes.cluster import FakeCluster

PASSES = 40


class Stopped:
    """A port that stands still before its n-th effect until it is let go on, as by SIGSTOP."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()

    def of(self, port: object) -> Any:
        return _Stopping(port, self)

    async def passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stopped.set()
            await self.go_on.wait()


class _Stopping:
    def __init__(self, port: object, signal: Stopped) -> None:
        self._port = port
        self._signal = signal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in EFFECTS:
            return found

        async def stopping(*arguments: Any, **named: Any) -> Any:
            await self._signal.passed()
            return await found(*arguments, **named)

        return stopping


class Leader:
    """One operator process, with a view of the Lease of its own."""

    def __init__(self, world: World, epoch: str, stop: Stopped | None = None) -> None:
        self.cluster = FakeCluster(world.cluster.objects)
        self.cluster.epoch = epoch
        signal = stop or Stopped(-1)
        self.reconciler = AssetReconciler(
            cast("Cluster", signal.of(self.cluster)),
            always(world.store),
            always(cast("Ledger", signal.of(world.open_ledger()))),
            world.clock,
            always(world.open_reader()),
            ProviderEncryptor,
        )

    async def work(self, world: World, key: Key, passes: int = PASSES) -> None:
        """Pass after pass; one that finds the Lease lost does nothing."""
        for _ in range(passes):
            found = world.cluster.objects.find(ModelAsset, key)
            if found is None or at_rest(found):
                return
            with suppress(Conflict):
                await self.reconciler.reconcile(key)


async def stop_and_take_over(at: int, passes: int) -> bool:
    """The first stops before effect `at`; the second makes some passes, then the first wakes up
    within its pass, and the second ends the work. False if there is no such effect any more."""
    world, stop = World(), Stopped(at)
    key = world.add()
    first = Leader(world, "1-first", stop)
    working = asyncio.create_task(first.work(world, key))
    waiting = asyncio.create_task(stop.stopped.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not stop.stopped.is_set():
        return False
    second = Leader(world, "2-second")
    first.cluster.lease_is_ours = False
    await second.work(world, key, passes)
    stop.go_on.set()
    await working
    await second.work(world, key)
    check(world, key)
    other = world.add(model_asset("other"))
    await second.work(world, other)  # whatever nonce the first left behind
    assert at_rest(world.asset(other))
    assert not world.held()
    return True


def check(world: World, key: Key) -> None:
    (nft,) = world.chain.nfts.values()
    assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
    assert world.asset(key).status.nft == nft.creation.nft
    assert at_rest(world.asset(key))
    assert sorted(world.chain.nonces.values()) == [4]


@pytest.mark.parametrize("passes", [0, 1, 2, 3, PASSES])
async def test_a_leader_stopped_before_any_effect_wakes_up_stale(passes: int) -> None:
    at = 1
    while await stop_and_take_over(at, passes):
        at += 1
    assert at > 20


async def test_a_new_leader_writes_its_epoch_before_all_else_and_the_old_ones_write_fails() -> None:
    world = World()
    key = world.add()
    await world.run_until(begun, world.operator(), key)
    before = world.asset(key)
    calls = len(world.chain.calls)
    second = Leader(world, "2-second")
    await second.reconciler.reconcile(key)
    assert world.asset(key).status.epoch == "2-second"
    assert world.asset(key).status.transactions == before.status.transactions
    assert "send" not in world.chain.calls[calls:]
    with pytest.raises(Conflict):
        await world.cluster.write_asset(before)
