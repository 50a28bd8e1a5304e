"""An NFT that a reorganisation deeper than `confirmations` took back is missed, never doubled."""

from __future__ import annotations

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.meta import Key
from posthuman.assets.standing import LOOK_SECONDS
from posthuman.chain_ports import Ledger
from tests.assets.real import RealWorld, check_real
from tests.assets.world import World, at_rest, model_asset
from tests.fakes.ledger import FakeLedger
from tests.services.chain import Chain


async def an_hour_later(world: World, key: Key) -> None:
    """One process looks at everything once an hour."""
    operator = world.operator()
    await operator.reconcile(key)
    world.clock.forward(LOOK_SECONDS)
    await operator.reconcile(key)


def ready(world: World, key: Key) -> bool:
    return is_true(world.asset(key).status.conditions, "Ready")


@pytest.mark.chain
async def test_it_is_told_within_the_hour_and_published_anew_only_when_asked_for(
    own_chain: Chain,
) -> None:
    world = RealWorld(own_chain, await own_chain.new_account())
    before = await own_chain.rpc("evm_snapshot")
    key = world.add()
    await world.publish(key)
    first = world.asset(key).status
    await own_chain.rpc("evm_revert", before)
    await own_chain.rpc("anvil_mine", hex(20))

    await an_hour_later(world, key)
    condition = world.condition(key, "Ready")
    assert (condition.status, condition.reason) == ("False", "NFTMissing")
    assert "spec.chain.confirmations" in condition.message
    await an_hour_later(world, key)
    async with own_chain.ledger(world.account) as ledger:
        assert not await ledger.creations()

    world.cluster.objects.delete(ModelAsset, key)
    await world.publish(world.add())
    status = world.asset(key).status
    assert (status.publication_id, ready(world, key)) == (first.publication_id, True)
    async with own_chain.ledger(world.account) as ledger:
        (creation,) = await ledger.creations()
        assert creation.nft == status.nft
    await world.close()


@pytest.mark.chain
async def test_an_nft_that_stands_is_looked_at_and_left_alone(chain: Chain) -> None:
    world = RealWorld(chain, await chain.new_account())
    key = world.add()
    await world.publish(key)
    before = world.asset(key)
    await an_hour_later(world, key)
    assert world.asset(key) == before
    await check_real(world, key)
    await world.close()


async def test_it_heals_when_the_nft_is_back() -> None:
    world = World()
    key = world.add()
    await world.publish(key)
    nfts, world.chain.nfts = world.chain.nfts, {}
    await an_hour_later(world, key)
    assert world.condition(key, "Ready").reason == "NFTMissing"
    assert world.asset(key).status.published_at
    world.chain.nfts = nfts
    await an_hour_later(world, key)
    assert ready(world, key)


async def test_a_node_that_lags_or_is_away_says_nothing_of_it() -> None:
    world = World()
    key = world.add()
    await world.publish(key)
    world.chain.nfts, world.chain.block = {}, 1
    await an_hour_later(world, key)
    assert ready(world, key)
    world.chain.reachable = False
    await an_hour_later(world, key)
    assert ready(world, key)


async def test_in_the_middle_of_a_publication_it_is_told_and_nothing_more_is_signed() -> None:
    world = World()
    key, operator = world.add(), world.operator()
    await world.run_until(lambda asset: bool(asset.status.nft), operator, key)
    nfts, world.chain.nfts = world.chain.nfts, {}
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.condition(key).reason == "NFTMissing"
    assert len(world.asset(key).status.transactions) == 1
    world.chain.nfts = nfts
    await world.run_until(at_rest, operator, key)


async def test_an_asset_whose_nft_vanished_in_the_middle_can_be_deleted_and_made_anew() -> None:
    world = World()
    key, operator = world.add(), world.operator()
    await world.run_until(lambda asset: bool(asset.status.nft), operator, key)
    world.chain.nfts = {}
    await world.one_pass(operator, key)
    world.cluster.objects.delete(ModelAsset, key)
    await world.run_until(lambda _: False, operator, key)  # until it is gone
    await world.publish(world.add(model_asset()))
    assert len(world.chain.nfts) == 1
    assert not world.held()


async def test_the_looks_of_many_assets_are_spread() -> None:
    world = World()
    operator = world.operator()
    keys = [world.add(model_asset(f"model-{number}")) for number in range(20)]
    for key in keys:
        await world.run_until(at_rest, operator, key)
    waits = [await operator.reconcile(key) for key in keys]
    assert len({round(wait or 0) for wait in waits}) > 15


async def test_a_published_asset_is_asked_for_once_an_hour() -> None:
    world = World()
    asked: list[str] = []

    class Counted(FakeLedger):
        async def nft_owner(self, nft: str) -> str:
            asked.append(nft)
            return await super().nft_owner(nft)

    ledger: Ledger = Counted(world.chain)
    world.open_ledger = lambda: ledger
    key, operator = world.add(), world.operator()
    await world.run_until(at_rest, operator, key)
    asked.clear()
    for _ in range(12):
        world.clock.forward(LOOK_SECONDS / 4)
        await operator.reconcile(key)
    assert len(asked) == 3
