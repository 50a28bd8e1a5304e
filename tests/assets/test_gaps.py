"""A nonce that nobody will use holds up the signer's later ones: it is filled, whoever left it."""

from __future__ import annotations

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.observed import open_record
from posthuman.chain_ports import Ledger
from posthuman.errors import TransientError
from tests.assets.real import RealWorld
from tests.assets.world import (
    PREFIX,
    REWARD_WEI,
    Crash,
    Tripwire,
    World,
    at_rest,
    begun,
    model_asset,
)
from tests.builders import BOB
from tests.fakes.ledger import FakeLedger
from tests.services.chain import Chain

STEPS = ["create", "metadata", "mint", "transfer"]


def remove_by_force(world: World, key: Key) -> None:
    """A tenant strips the finalizer and deletes the asset, and nobody is asked."""
    world.cluster.objects.set_finalizer(ModelAsset, key, False)
    world.cluster.objects.delete(ModelAsset, key)


async def leave_signed(world: World, step: str) -> Key:
    """An asset removed by force between "signed" and "sent"."""
    key = world.add(model_asset("removed"))

    def signed(asset: ModelAsset) -> bool:
        record = open_record(asset.status)
        return record is not None and record.step == step

    await world.run_until(signed, world.operator(), key)
    remove_by_force(world, key)
    return key


@pytest.mark.parametrize("step", STEPS)
async def test_an_asset_removed_between_signed_and_sent_blocks_nobody(step: str) -> None:
    world = World()
    await leave_signed(world, step)
    other = world.add(model_asset("other"))
    await world.publish(other)
    assert not world.held()
    assert not world.book().fillers


@pytest.mark.chain
async def test_a_gap_is_filled_on_a_real_chain(chain: Chain) -> None:
    world = RealWorld(chain, await chain.new_account())
    await leave_signed(world, "create")
    other = world.add(model_asset("other"))
    await world.publish(other)
    async with chain.ledger(world.account) as ledger:
        assert (await ledger.nonces()).mined == 5  # the filler, and the four of a publication
        assert await ledger.balance_wei()
        found = await ledger.find(world.asset(other).status.publication_id)
        assert found
        assert await ledger.minted_wei(found.datatoken, BOB, found.block) == REWARD_WEI
    assert not world.held()
    await world.close()


async def test_a_filler_is_stored_before_it_is_sent() -> None:
    world = World()
    await leave_signed(world, "create")

    class Outbox(FakeLedger):
        async def send(self, raw: str) -> None:
            stored = [found.raw for found in world.asset(other).status.transactions]
            assert raw in [*stored, *before.fillers.values()]
            await super().send(raw)

    ledger: Ledger = Outbox(world.chain)
    world.open_ledger = lambda: ledger
    other, operator = world.add(model_asset("other")), world.operator()
    while not at_rest(world.asset(other)):
        before = world.book()
        await world.one_pass(operator, other)


async def test_a_crash_after_any_effect_of_filling_ends_where_none_would() -> None:
    world, wire = World(), Tripwire(effects=True)
    await leave_signed(world, "create")
    await world.publish(world.add(model_asset("other")), wire)
    for at in range(1, len(wire.calls) + 1):
        world = World()
        await leave_signed(world, "create")
        other = world.add(model_asset("other"))
        with pytest.raises(Crash):
            await world.publish(other, Tripwire(at, effects=True))
        await world.publish(other)
        (nft,) = world.chain.nfts.values()
        assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
        assert sorted(world.chain.nonces.values()) == [5]


async def test_an_asset_made_anew_after_it_was_removed_uses_the_nonce_that_waits_for_it() -> None:
    """Its bytes of before may still be mined: one nonce, so one of the two is."""
    world = World()
    await leave_signed(world, "create")
    again = world.add(model_asset("removed"))
    await world.publish(again)
    assert sorted(world.chain.nonces.values()) == [4]
    assert len(world.chain.nfts) == 1


async def reserve_and_die(world: World) -> Key:
    """A nonce is reserved, and the process gone before the bytes are stored."""
    key = world.add(model_asset("first"))
    wire = Tripwire(effects=True)
    wire.at_name = "save_nonce_book"
    with pytest.raises(Crash):
        await world.publish(key, wire)
    assert not begun(world.asset(key))
    assert world.held()
    return key


async def test_an_asset_that_cant_use_its_nonce_any_more_blocks_nobody_and_gets_another() -> None:
    world = World()
    stuck = await reserve_and_die(world)
    manifest = world.store.objects[f"{PREFIX}/manifest.json"]
    upload = f"uploads/{BOB.lower()}/gpt2"
    world.store.objects = {f"{upload}/manifest.json": manifest}
    operator = world.operator()
    await world.one_pass(operator, stuck)
    assert world.condition(stuck).reason == "ManifestMissing"
    source = {
        "prefix": upload,
        "manifestDigest": model_asset().spec.source.manifest_digest,
    }
    other = world.add(model_asset("other", source=source, jobUid="", parents=[], reward=None))
    for _ in range(5):
        await world.one_pass(operator, stuck)
    await world.run_until(at_rest, operator, other)
    world.store.objects[f"{PREFIX}/manifest.json"] = manifest
    await world.run_until(at_rest, operator, stuck)
    assert len(world.chain.nfts) == 2
    assert not world.held()


async def test_an_asset_deleted_before_its_bytes_were_stored_publishes_nothing_and_goes() -> None:
    world = World()
    key = await reserve_and_die(world)
    world.cluster.objects.delete(ModelAsset, key)
    await world.run_until(lambda _: False, world.operator(), key)  # until it is gone
    assert not world.chain.nfts
    assert not world.held()
    await world.publish(world.add(model_asset("other")))
    assert sorted(world.chain.nonces.values()) == [5]


async def test_a_filler_that_cant_be_paid_is_told_and_heals() -> None:
    world = World()
    await leave_signed(world, "create")
    other, operator = world.add(model_asset("other")), world.operator()
    await world.run_until(begun, operator, other)
    signer = world.open_ledger().signer
    world.chain.balances[signer] = 0
    await world.one_pass(operator, other)
    assert world.condition(other).reason == "PurseEmpty"
    world.chain.balances[signer] = 10**18
    await world.run_until(at_rest, operator, other)


async def take_nonce(world: World) -> None:
    """Somebody else uses the signer's key."""
    ledger = FakeLedger(world.chain)
    nonces = await ledger.nonces()
    unsigned = await ledger.prepare_filler()
    await ledger.send((await ledger.sign(unsigned, nonces.mined)).raw)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_whose_nonce_a_stranger_took_is_signed_anew(step: str) -> None:
    world = World()
    key = world.add()

    def signed(asset: ModelAsset) -> bool:
        record = open_record(asset.status)
        return record is not None and record.step == step

    operator = world.operator()
    await world.run_until(signed, operator, key)
    await take_nonce(world)
    await world.run_until(at_rest, operator, key)
    (nft,) = world.chain.nfts.values()
    assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
    assert sorted(world.chain.nonces.values()) == [5]
    assert not world.held()


async def test_nothing_is_signed_anew_before_the_strangers_transaction_is_settled() -> None:
    world = World(confirmations=3)
    world.open_ledger = lambda: FakeLedger(world.chain, confirmations=3)
    key = world.add()
    operator = world.operator()
    await world.run_until(begun, operator, key)
    (record,) = world.asset(key).status.transactions
    await take_nonce(world)
    for _ in range(2):
        for _ in range(3):
            await world.one_pass(operator, key)
        assert world.condition(key).reason == "NonceTaken"
        assert world.asset(key).status.transactions == (record,)
        world.chain.mine()
    await world.one_pass(operator, key)
    assert world.asset(key).status.transactions == ()


async def test_a_node_that_knows_the_nonce_and_not_the_receipt_is_waited_for() -> None:
    """Our own transaction was mined; the answering node merely lags."""
    world = World()
    key = world.add()

    class Lagging(FakeLedger):
        async def receipt(self, transaction_hash: str) -> None:
            return None

        async def find(self, publication_id: str) -> None:
            return None

    operator = world.operator()
    await world.run_until(begun, operator, key)
    record = world.asset(key).status.transactions
    await world.one_pass(operator, key)
    healthy, world.open_ledger = world.open_ledger, lambda: Lagging(world.chain)
    operator = world.operator()
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.asset(key).status.transactions == record
    assert world.condition(key).reason == "NodeLags"
    world.open_ledger = healthy
    await world.publish(key)
    assert len(world.chain.nfts) == 1


async def test_an_unknown_answer_of_the_node_fills_nothing() -> None:
    world = World()
    await leave_signed(world, "create")
    other, operator = world.add(model_asset("other")), world.operator()
    await world.run_until(begun, operator, other)
    world.chain.reachable = False
    with pytest.raises(TransientError):
        await FakeLedger(world.chain).nonces()
    await world.one_pass(operator, other)
    assert not world.book().fillers
