"""Whatever call the operator dies after, one publication is one NFT and exactly one reward."""

from __future__ import annotations

from contextlib import suppress

import pytest

from posthuman.api.meta import Key
from posthuman.assets.observed import open_record
from tests.assets.world import REWARD_WEI, Crash, Tripwire, World, at_rest
from tests.builders import BOB
from tests.fakes.ledger import FakeLedger

PASSES_TO_A_WAIT = 30


async def crash_and_recover(world: World, at: int) -> Key:
    """Die after call `at`; a new process starts from what is stored alone."""
    key = world.add()
    with suppress(Crash):
        await world.publish(key, Tripwire(at))
    await world.publish(key)
    return key


async def calls_of_a_publication(world: World) -> int:
    """How many calls there are to die after."""
    wire = Tripwire()
    await world.publish(world.add(), wire)
    return len(wire.calls)


def check_fake(world: World, key: Key) -> None:
    (nft,) = world.chain.nfts.values()
    status = world.asset(key).status
    assert nft.creation.nft == status.nft
    assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
    assert nft.owner == BOB
    assert len(nft.ddos) == 1
    assert not world.held()
    assert not [found for found in status.transactions if found.raw or not found.block]
    assert sorted(world.chain.nonces.values()) == [4]


async def test_a_crash_after_any_call_ends_where_none_would() -> None:
    calls = await calls_of_a_publication(World())
    assert calls > 50
    for at in range(1, calls + 1):
        world = World()
        check_fake(world, await crash_and_recover(world, at))


async def crash_while_held_back(world: World, step: str, at: int) -> Key:
    """Blocks come until `step` is signed, whose transaction waits in the pool; then a crash."""
    key = world.add()
    operator = world.operator(Tripwire(at, effects=True))
    with suppress(Crash):
        for _ in range(PASSES_TO_A_WAIT):
            record = open_record(world.asset(key).status)
            world.chain.automine = record is None or record.step != step
            await world.one_pass(operator, key)
    return key


async def recover(world: World, key: Key) -> None:
    """A new process; blocks come again after it has looked around for a while."""
    operator = world.operator()
    for _ in range(PASSES_TO_A_WAIT):
        await world.one_pass(operator, key)
    world.chain.automine = True
    world.chain.mine()
    await world.publish(key)


async def effects_of_a_publication() -> int:
    """How many effects there are to die after."""
    world, wire = World(), Tripwire(effects=True)
    await world.publish(world.add(), wire)
    return len(wire.calls)


@pytest.mark.parametrize("step", ["create", "metadata", "mint", "transfer"])
async def test_a_crash_while_a_transaction_waits_in_the_pool(step: str) -> None:
    for at in range(1, await effects_of_a_publication() + 1):
        world = World()
        key = await crash_while_held_back(world, step, at)
        await recover(world, key)
        check_fake(world, key)


@pytest.mark.parametrize("nonces_too", [False, True])
@pytest.mark.parametrize("step", ["", "create", "metadata", "mint", "transfer"])
async def test_a_restore_that_loses_the_records_does_nothing_twice(
    nonces_too: bool, step: str
) -> None:
    """What is on chain is adopted; what waits in the pool is waited for."""
    for at in range(1, await effects_of_a_publication() + 1):
        world = World()
        key = await crash_while_held_back(world, step, at)
        world.forget_status(key)
        if nonces_too:
            world.forget_nonces()
        await recover(world, key)
        (nft,) = world.chain.nfts.values()
        assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
        assert nft.owner == BOB
        assert world.asset(key).status.nft == nft.creation.nft
        assert not world.held()


async def test_only_bytes_that_the_api_server_holds_are_sent_and_in_a_later_pass() -> None:
    world, sent = World(), list[str]()
    key = world.add()

    class Outbox(FakeLedger):
        async def send(self, raw: str) -> None:
            stored = [found.raw for found in before.status.transactions]
            assert raw in stored
            sent.append(raw)
            await super().send(raw)

    ledger = Outbox(world.chain)
    world.open_ledger = lambda: ledger
    operator = world.operator()
    while not at_rest(before := world.asset(key)):
        await world.one_pass(operator, key)
    assert len(set(sent)) == 4
