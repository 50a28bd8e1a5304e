"""The crash explorer: a publication on a real EVM node is stopped at every point there is.

That is before and after each durable write, before each request to the node, and after each call
that has an effect (after one that only reads, all is as before the next). It goes on from the
stored status alone, and the chain is looked at: one NFT, exactly the reward, in the right order.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from posthuman.api.meta import Key
from posthuman.ledger.account import DEV_KEYS, mint
from tests.assets.real import RealWorld, check_real
from tests.assets.test_rpc_faults import SEND, FaultyWorld
from tests.assets.world import TOKENS, Crash, Tripwire
from tests.builders import BOB
from tests.ledger.lying import Call, LyingNode, lying_node
from tests.services.chain import Chain

pytestmark = pytest.mark.chain


@pytest.mark.parametrize("before", [True, False])
async def test_a_crash_before_or_after_any_durable_write(chain: Chain, before: bool) -> None:
    at, calls = 0, 1
    while at <= calls:
        world = RealWorld(chain, await chain.new_account())
        wire = Tripwire(at, effects=True, before=before)
        key = world.add()
        with suppress(Crash):
            await world.publish(key, wire)
        if at == 0:
            calls = len(wire.calls)
        await world.publish(key)
        await check_real(world, key)
        await world.close()
        at += 1
    assert calls > 20
    more = await mint(chain.url, DEV_KEYS[1], world.asset(key).status.datatoken, BOB, TOKENS)
    assert more.startswith("0x")


class Killer:
    """Ends the operator's task at the n-th request to the node, a batch being one."""

    def __init__(self, node: LyingNode, at: int, after: bool) -> None:
        self.victim: asyncio.Task[None] | None = None
        self._left = at
        if after:
            node.drop_answer = self._counted_sends
        else:
            node.before_request = self._counted

    def _counted(self) -> None:
        self._left -= 1
        if self._left == 0 and self.victim:
            self.victim.cancel()

    def _counted_sends(self, call: Call) -> bool:
        if call["method"] == SEND:
            self._counted()
        return False

    @property
    def struck(self) -> bool:
        return self._left <= 0


async def killed_at(chain: Chain, at: int, after: bool) -> bool:
    """False once there is no such call any more."""
    async with lying_node(chain.url) as node:
        killer = Killer(node, at, after)
        world = FaultyWorld(chain, await chain.new_account(), node)
        key = world.add()
        killer.victim = asyncio.create_task(world.publish(key))
        with suppress(asyncio.CancelledError):
            await killer.victim
        await world.publish(key)
        await check_real(world, key)
        await world.close()
        return killer.struck


@pytest.mark.parametrize("after", [True, False])
async def test_a_kill_at_any_request_to_the_node(chain: Chain, after: bool) -> None:
    """Four publications at a time, each killed at a call of its own."""
    first, struck = 1, True
    while struck:
        calls = range(first, first + 4)
        struck = all(await asyncio.gather(*(killed_at(chain, at, after) for at in calls)))
        first += 4
    assert first > (4 if after else 40)


async def restored(world: RealWorld, key: Key, nonces_too: bool) -> None:
    """From a backup without status, under a new UID."""
    uid = world.asset(key).metadata.uid
    world.forget_status(key)
    assert world.asset(key).metadata.uid != uid
    if nonces_too:
        world.forget_nonces()


@pytest.mark.parametrize("nonces_too", [False, True])
async def test_a_published_asset_that_is_restored_gets_no_second_nft(
    chain: Chain, nonces_too: bool
) -> None:
    world = RealWorld(chain, await chain.new_account())
    key = world.add()
    await world.publish(key)
    before = world.asset(key).status
    await restored(world, key, nonces_too)
    await world.publish(key)
    after = world.asset(key).status
    assert (after.nft, after.did, after.datatoken) == (before.nft, before.did, before.datatoken)
    await check_real(world, key)
    await world.close()
