"""A transaction whose fee has become too low is signed anew with a higher one, under a ceiling."""

from __future__ import annotations

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.assets.decide import RAISE_AFTER_SECONDS
from posthuman.assets.observed import open_record
from posthuman.chain_ports import Ledger
from tests.assets.world import REWARD_WEI, Crash, Tripwire, World, at_rest, begun, model_asset
from tests.fakes.ledger import FEE_WEI, GAS, FakeLedger

DEAR_WEI = 5 * FEE_WEI


def replaced(asset: ModelAsset) -> bool:
    """A record has older bytes."""
    return any(record.replaced for record in asset.status.transactions)


async def test_a_stalled_transaction_is_replaced_and_every_hash_kept() -> None:
    world = World()
    key, operator = world.add(), world.operator()
    await world.run_until(begun, operator, key)
    first = world.asset(key).status.transactions[0]
    world.chain.base_fee_wei = DEAR_WEI
    began = world.clock.now()
    await world.run_until(replaced, operator, key)
    assert (world.clock.now() - began).total_seconds() >= RAISE_AFTER_SECONDS
    record = open_record(world.asset(key).status)
    assert record
    assert (record.nonce, record.replaced) == (first.nonce, (first.hash,))
    world.chain.base_fee_wei = 0
    await world.run_until(at_rest, operator, key)
    assert len(world.chain.nfts) == 1
    assert first.hash in world.asset(key).status.transactions[0].replaced


async def test_the_older_bytes_may_be_mined_after_all() -> None:
    world = World()
    key, operator = world.add(), world.operator()
    await world.run_until(begun, operator, key)
    world.chain.base_fee_wei = DEAR_WEI
    await world.run_until(replaced, operator, key)  # stored, not sent
    newer = world.asset(key).status.transactions[0].hash
    world.chain.base_fee_wei = 0
    world.chain.mine()
    await world.run_until(at_rest, operator, key)
    create = world.asset(key).status.transactions[0]
    assert create.replaced == (newer,)
    assert len(world.chain.nfts) == 1


async def test_above_the_ceiling_it_waits_and_says_so_and_goes_on_when_gas_is_cheaper() -> None:
    world = World()
    ledger = FakeLedger(world.chain)
    ledger.ceiling_wei = FEE_WEI
    opened: Ledger = ledger
    world.open_ledger = lambda: opened
    key, operator = world.add(), world.operator()
    await world.run_until(begun, operator, key)
    world.chain.base_fee_wei = DEAR_WEI

    def told(asset: ModelAsset) -> bool:
        return any(found.reason == "FeeCeiling" for found in asset.status.conditions)

    await world.run_until(told, operator, key)
    assert not replaced(world.asset(key))
    world.chain.base_fee_wei = 0
    await world.run_until(at_rest, operator, key)


async def test_only_the_first_in_line_is_replaced() -> None:
    world = World()
    keys = [world.add(model_asset(name)) for name in ("one", "two", "three")]
    operator = world.operator()
    for key in keys:
        await world.run_until(begun, operator, key)
    world.chain.base_fee_wei = DEAR_WEI
    while not any(replaced(world.asset(key)) for key in keys):
        for key in keys:
            await world.one_pass(operator, key)
    assert [replaced(world.asset(key)) for key in keys] == [True, False, False]
    world.chain.base_fee_wei = 0
    for key in keys:
        await world.run_until(at_rest, operator, key)


async def test_a_crash_after_any_effect_of_replacing_ends_where_none_would() -> None:
    async def stalled_and_dear(world: World, wire: Tripwire) -> None:
        key, operator = next(iter(world.cluster.objects.all(ModelAsset))), world.operator(wire)
        world.chain.base_fee_wei = DEAR_WEI
        await world.run_until(replaced, operator, key.metadata.key)
        for _ in range(3):
            await world.one_pass(operator, key.metadata.key)

    world, wire = World(), Tripwire(effects=True)
    world.add()
    await stalled_and_dear(world, wire)
    for at in range(1, len(wire.calls) + 1):
        world = World()
        key = world.add()
        with pytest.raises(Crash):
            await stalled_and_dear(world, Tripwire(at, effects=True))
        world.chain.base_fee_wei = 0
        await world.publish(key)
        (nft,) = world.chain.nfts.values()
        assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
        assert sorted(world.chain.nonces.values()) == [4]


async def test_what_a_publication_cost_is_in_its_status() -> None:
    world = World()
    signer = world.open_ledger().signer
    before = world.chain.balances[signer]
    key = world.add()
    await world.publish(key)
    status = world.asset(key).status
    assert status.gas_used == 4 * GAS == sum(found.gas_used for found in status.transactions)
    assert int(status.cost_wei) == before - world.chain.balances[signer]
    assert int(status.cost_wei) == sum(int(found.cost_wei) for found in status.transactions)
