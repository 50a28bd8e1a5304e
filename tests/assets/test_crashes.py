"""Whatever call the operator dies after, one publication is one NFT and exactly one reward."""

from __future__ import annotations

from contextlib import suppress

import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.meta import Key
from posthuman.errors import UserError
from posthuman.ledger.ocean import OceanLedger, open_ledger
from posthuman.ports import Ledger
from tests.assets.world import REWARD_WEI, Crash, Tripwire, World
from tests.builders import BOB
from tests.services.chain import Chain

PASSES_TO_A_WAIT = 8


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
    assert nft.ddo
    assert not world.held()
    assert not [found for found in status.transactions if found.raw or not found.block]
    assert sorted(world.chain.nonces.values()) == [4]


async def test_a_crash_after_any_call_ends_where_none_would() -> None:
    calls = await calls_of_a_publication(World())
    assert calls > 50
    for at in range(1, calls + 1):
        world = World()
        check_fake(world, await crash_and_recover(world, at))


async def test_a_crash_after_any_call_while_blocks_are_held_back() -> None:
    """The transaction waits in the pool while the operator is gone."""
    for at in range(1, await calls_of_a_publication(World()) + 1):
        world = World()
        key = world.add()
        world.chain.automine = False
        with suppress(Crash):
            operator = world.operator(Tripwire(at))
            for _ in range(PASSES_TO_A_WAIT):
                await world.one_pass(operator, key)
        world.chain.mine()
        world.chain.automine = True
        await world.publish(key)
        check_fake(world, key)


async def test_a_restore_that_loses_every_status_adopts_what_is_on_chain() -> None:
    for at in range(1, await calls_of_a_publication(World()) + 1):
        world = World()
        key = world.add()
        with suppress(Crash):
            await world.publish(key, Tripwire(at))
        world.forget_status(key)
        await world.publish(key)
        (nft,) = world.chain.nfts.values()
        assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]
        assert nft.owner == BOB
        assert world.asset(key).status.nft == nft.creation.nft


async def test_a_restore_that_loses_the_nonces_too_waits_for_what_is_in_flight() -> None:
    for at in range(1, await calls_of_a_publication(World()) + 1):
        world = World()
        key = world.add()
        with suppress(Crash):
            await world.publish(key, Tripwire(at))
        world.forget_status(key)
        world.forget_nonces()
        await world.publish(key)
        (nft,) = world.chain.nfts.values()
        assert [wei for _, wei, _ in nft.minted] == [REWARD_WEI]


class RealWorld(World):
    """The same on a real chain, with a signer of its own."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self.real = chain
        self.account = account
        self.opened: list[OceanLedger] = []
        super().__init__(self._open)

    def _open(self) -> Ledger:
        ledger = open_ledger(self.real.url, bytes(self.account.key), self.real.spec())
        self.opened.append(ledger)
        return ledger

    async def close(self) -> None:
        for ledger in self.opened:
            await ledger.close()


async def check_real(world: RealWorld, key: Key) -> None:
    status = world.asset(key).status
    async with world.real.ledger(world.account) as ledger:
        found = await ledger.find(status.publication_id)
        assert found and found.nft == status.nft
        assert await ledger.minted_wei(found.datatoken, BOB, found.block) == REWARD_WEI
        assert await ledger.nft_owner(found.nft) == BOB
        assert await ledger.has_metadata(found.nft)
        assert await ledger.mined_nonce() == 4  # so one NFT, one mint, and nothing else
        with pytest.raises(UserError, match="NOT MINTER"):
            await ledger.prepare_mint(found.datatoken, BOB, 1)
    assert not world.held()


@pytest.mark.chain
async def test_a_crash_after_any_effect_on_a_real_chain(chain: Chain) -> None:
    at, calls = 0, 1
    while at <= calls:
        world = RealWorld(chain, await chain.new_account())
        wire = Tripwire(at, effects=True)
        key = world.add()
        with suppress(Crash):
            await world.publish(key, wire)
        if at == 0:
            calls = len(wire.calls)
        await world.publish(key)
        await check_real(world, key)
        await world.close()
        at += 1
