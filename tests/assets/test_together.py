"""Many assets at a time: their transactions are in flight together and share the blocks."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from posthuman.api.conditions import is_true
from posthuman.api.meta import Key
from tests.assets.real import RealWorld
from tests.assets.world import (
    REWARD_WEI,
    World,
    at_rest,
    model_asset,
)
from tests.builders import BOB
from tests.services.chain import Chain


async def publish_together(world: World, keys: list[Key], mine: bool = False) -> None:
    """Pass after pass over all of them at once; with `mine`, a block a round."""
    operator = world.operator()
    for _ in range(200):
        waiting = [key for key in keys if not at_rest(world.asset(key))]
        if not waiting:
            return
        await asyncio.gather(*(world.one_pass(operator, key) for key in waiting))
        if mine:
            world.chain.mine()
    raise AssertionError("not all were published")


async def test_many_assets_share_each_block() -> None:
    world = World()
    world.chain.automine = False
    keys = [world.add(model_asset(f"model-{number}")) for number in range(25)]
    await publish_together(world, keys, mine=True)
    blocks = Counter(receipt.block for receipt in world.chain.receipts.values())
    assert sum(blocks.values()) == 100
    assert max(blocks.values()) == 25
    assert [sum(wei for _, wei, _ in nft.minted) for nft in world.chain.nfts.values()] == [
        REWARD_WEI
    ] * 25
    assert not world.held()


@pytest.mark.chain
async def test_many_assets_are_published_together_on_a_real_chain(chain: Chain) -> None:
    world = RealWorld(chain, await chain.new_account())
    keys = [world.add(model_asset(f"model-{number}")) for number in range(10)]
    await publish_together(world, keys)
    async with chain.ledger(world.account) as ledger:
        for key in keys:
            status = world.asset(key).status
            found = await ledger.find(status.publication_id)
            assert found
            assert found.nft == status.nft
            assert is_true(status.conditions, "Ready")
            assert await ledger.minted_wei(found.datatoken, BOB, found.block) == REWARD_WEI
        assert (await ledger.nonces()).mined == 40
    await world.close()
