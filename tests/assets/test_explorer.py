"""The crash explorer: a publication on a real EVM node is stopped at every point there is.

That is before and after each durable write, before each request to the node, and after each call
that has an effect (after one that only reads, all is as before the next). It goes on from the
stored status alone, and the chain is looked at: one NFT, exactly the reward, in the right order.
So it is for each kind of publication (scenes.py): whole, sold and given away, behind another's
gap, deleted in the middle, and with a fee that had to be raised.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from posthuman.api.meta import Key
from posthuman.ledger.account import DEV_KEYS, mint
from tests.assets.real import RealWorld, check_real
from tests.assets.scenes import ALONE, SCENES, Scene
from tests.assets.test_rpc_faults import SEND, FaultyWorld
from tests.assets.world import TOKENS, Crash, Tripwire
from tests.builders import BOB
from tests.ledger.lying import Call, LyingNode, lying_node
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
AT_A_TIME = 4
ON_A_SHARED_CHAIN = pytest.mark.parametrize("scene", SCENES)
ON_ITS_OWN_CHAIN = pytest.mark.parametrize("scene", ALONE)
BEFORE_OR_AFTER = pytest.mark.parametrize("before", [True, False], ids=["before", "after"])


async def crashed_at(scene: Scene, at: int, before: bool) -> bool:
    """At the n-th durable write; False where there is no such write any more."""
    world = RealWorld(scene.chain, await scene.chain.new_account())
    key = await scene.begin(world)
    wire = Tripwire(at, effects=True, before=before)
    struck = False
    try:
        await scene.part(world, key, world.operator(wire))
    except Crash:
        struck = True
    await scene.recover(world, key)
    await scene.check(world, key)
    await world.close()
    return struck


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


async def killed_at(scene: Scene, at: int, after: bool) -> bool:
    """At the n-th request; False where there is no such request any more."""
    async with lying_node(scene.chain.url) as node:
        world = FaultyWorld(scene.chain, await scene.chain.new_account(), node)
        key = await scene.begin(world)
        killer = Killer(node, at, after)
        killer.victim = asyncio.create_task(scene.part(world, key, world.operator()))
        with suppress(asyncio.CancelledError):
            await killer.victim
        struck = killer.struck
        await scene.recover(world, key)
        await scene.check(world, key)
        await world.close()
        return struck


async def writes_explored(scene: Scene, before: bool, at_a_time: int) -> int:
    """How many durable writes there are."""
    first, struck = 1, [True]
    while all(struck):
        points = range(first, first + at_a_time)
        struck = await asyncio.gather(*(crashed_at(scene, at, before) for at in points))
        first += at_a_time
    return first - at_a_time - 1 + sum(struck)


async def requests_explored(scene: Scene, after: bool, at_a_time: int) -> int:
    """How many requests to the node there are; `after`: that send a transaction."""
    first, struck = 1, [True]
    while all(struck):
        points = range(first, first + at_a_time)
        struck = await asyncio.gather(*(killed_at(scene, at, after) for at in points))
        first += at_a_time
    return first - at_a_time - 1 + sum(struck)


# The least that there are of each: an explorer that finds fewer has lost its way.
WRITES = {"whole": 24, "fixed-rate": 7, "free": 7, "behind-a-gap": 9, "deleted": 5}
WRITES |= {"dear-gas": 3, "dear-gas-older-mined": 2}
REQUESTS = {"whole": 40, "fixed-rate": 9, "free": 8, "behind-a-gap": 9, "deleted": 4}
REQUESTS |= {"dear-gas": 8, "dear-gas-older-mined": 6}
SENDS = {"whole": 4, "fixed-rate": 1, "free": 1, "behind-a-gap": 2, "deleted": 1}
SENDS |= {"dear-gas": 1, "dear-gas-older-mined": 1}


@BEFORE_OR_AFTER
@ON_A_SHARED_CHAIN
async def test_a_crash_at_any_durable_write(chain: Chain, scene: str, before: bool) -> None:
    assert await writes_explored(SCENES[scene](chain), before, AT_A_TIME) >= WRITES[scene]


@BEFORE_OR_AFTER
@ON_ITS_OWN_CHAIN
async def test_a_crash_at_any_write_of_a_raised_fee(
    own_chain: Chain, scene: str, before: bool
) -> None:
    assert await writes_explored(ALONE[scene](own_chain), before, 1) >= WRITES[scene]


@ON_A_SHARED_CHAIN
async def test_a_kill_before_any_request(chain: Chain, scene: str) -> None:
    assert await requests_explored(SCENES[scene](chain), False, AT_A_TIME) >= REQUESTS[scene]


@ON_A_SHARED_CHAIN
async def test_a_kill_after_any_send(chain: Chain, scene: str) -> None:
    assert await requests_explored(SCENES[scene](chain), True, AT_A_TIME) >= SENDS[scene]


@ON_ITS_OWN_CHAIN
async def test_a_kill_at_any_request_of_a_raised_fee(own_chain: Chain, scene: str) -> None:
    found = ALONE[scene](own_chain)
    assert await requests_explored(found, False, 1) >= REQUESTS[scene]
    assert await requests_explored(found, True, 1) >= SENDS[scene]


async def test_the_owner_mints_after_the_publication(chain: Chain) -> None:
    world = RealWorld(chain, await chain.new_account())
    key = world.add()
    await world.publish(key)
    more = await mint(chain.url, DEV_KEYS[1], world.asset(key).status.datatoken, BOB, TOKENS)
    assert more.startswith("0x")
    await world.close()


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
