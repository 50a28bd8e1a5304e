"""What the crash explorer interrupts: kinds of publications on a real chain, each in three parts.

`begin` makes the situation, undisturbed; `part` is stopped at every point there is; `recover` is
what a new process does, from what is stored alone.
"""

from __future__ import annotations

from typing import Any

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.decide import RAISE_AFTER_SECONDS
from posthuman.assets.nonces import holder
from posthuman.assets.observed import CREATE, open_record
from posthuman.assets.reconcile import AssetReconciler
from tests.assets.real import RealWorld, check_real
from tests.assets.world import Crash, Tripwire, at_rest, begun, model_asset
from tests.services.chain import Chain

CHEAP_WEI, DEAR_WEI = 10**9, 60 * 10**9  # a block's base fee, and one that nobody offered


class Scene:
    """A publication from its beginning to its end."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    async def begin(self, world: RealWorld) -> Key:
        return world.add()

    async def part(self, world: RealWorld, key: Key, operator: AssetReconciler) -> None:
        await world.run_until(at_rest, operator, key)

    async def recover(self, world: RealWorld, key: Key) -> None:
        await world.publish(key)

    async def check(self, world: RealWorld, key: Key) -> None:
        await check_real(world, key)


class Creation(Scene):
    """For scenes that differ in it: once it is confirmed, all goes on as in the whole."""

    transactions = 1

    async def part(self, world: RealWorld, key: Key, operator: AssetReconciler) -> None:
        await world.run_until(created, operator, key)

    async def recover(self, world: RealWorld, key: Key) -> None:
        operator = world.operator()
        await world.run_until(created, operator, key)
        await world.one_pass(operator, key)  # its nonce is released, had that been left out
        assert holder(world.asset(key).status.publication_id, CREATE) not in world.held()

    async def check(self, world: RealWorld, key: Key) -> None:
        status = world.asset(key).status
        async with self.chain.ledger(world.account) as ledger:
            (creation,) = await ledger.creations()
            assert creation.nft == status.nft
            assert creation.publication.publication_id == status.publication_id
            assert (await ledger.nonces()).mined == self.transactions


class Priced(Creation):
    """Sold at a fixed rate, or given away."""

    def __init__(self, chain: Chain, kind: str) -> None:
        super().__init__(chain)
        free = {"kind": kind}
        sold = {**free, "token": chain.contracts.ocean_token, "rate": "2.5"}
        self._pricing: dict[str, Any] = sold if kind == "FixedRate" else free

    async def begin(self, world: RealWorld) -> Key:
        return world.add(model_asset(pricing=self._pricing))


class BehindAGap(Creation):
    """Somebody removed another asset by force between "signed" and "sent": its nonce is filled."""

    transactions = 2  # the filler is the other

    async def begin(self, world: RealWorld) -> Key:
        gone = world.add(model_asset("removed"))
        await world.run_until(begun, world.operator(), gone)
        world.cluster.objects.set_finalizer(ModelAsset, gone, False)
        world.cluster.objects.delete(ModelAsset, gone)
        return world.add(model_asset("other"))


class Deleted(Scene):
    """Its nonce was reserved and no bytes stored; then somebody deleted it: it goes, published
    nowhere, and the nonce is used up."""

    async def begin(self, world: RealWorld) -> Key:
        key, wire = world.add(), Tripwire(effects=True)
        wire.at_name = "save_nonce_book"
        with pytest.raises(Crash):
            await world.publish(key, wire)
        world.cluster.objects.delete(ModelAsset, key)
        return key

    async def part(self, world: RealWorld, key: Key, operator: AssetReconciler) -> None:
        await world.run_until(lambda _: False, operator, key)  # until it is gone

    async def recover(self, world: RealWorld, key: Key) -> None:
        await world.run_until(lambda _: False, world.operator(), key)

    async def check(self, world: RealWorld, key: Key) -> None:
        assert world.cluster.objects.find(ModelAsset, key) is None
        assert not world.held()
        async with self.chain.ledger(world.account) as ledger:
            assert not await ledger.creations()
            assert (await ledger.nonces()).mined == 1


class Stalled(Creation):
    """Gas became dear after the creation was sent: it is signed anew with a higher fee. `older`:
    the block takes the older bytes nevertheless. The chain is its own; its blocks are held back."""

    def __init__(self, chain: Chain, older: bool) -> None:
        super().__init__(chain)
        self._older = older

    async def begin(self, world: RealWorld) -> Key:
        await self.chain.rpc("evm_setAutomine", False)
        key, operator = world.add(), world.operator()
        await world.run_until(begun, operator, key)
        await world.one_pass(operator, key)  # it is sent
        await self._block(DEAR_WEI)
        return key

    async def part(self, world: RealWorld, key: Key, operator: AssetReconciler) -> None:
        await world.one_pass(operator, key)  # it sees that nothing but its fee holds it up
        world.clock.forward(RAISE_AFTER_SECONDS)
        await world.run_until(replaced, operator, key)
        if not self._older:
            await world.one_pass(operator, key)  # the newer bytes are sent
        await self._heal()
        await world.run_until(created, operator, key)

    async def recover(self, world: RealWorld, key: Key) -> None:
        await self._heal()
        await super().recover(world, key)

    async def _heal(self) -> None:
        await self._block(CHEAP_WEI)
        await self.chain.rpc("evm_setAutomine", True)

    async def _block(self, base_fee_wei: int) -> None:
        await self.chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))
        await self.chain.rpc("evm_mine")


def created(asset: ModelAsset) -> bool:
    """Its creation is confirmed."""
    return bool(asset.status.nft)


def replaced(asset: ModelAsset) -> bool:
    """The open transaction has older bytes."""
    record = open_record(asset.status)
    return record is not None and bool(record.replaced)


SCENES: dict[str, Any] = {
    "whole": Scene,
    "fixed-rate": lambda chain: Priced(chain, "FixedRate"),
    "free": lambda chain: Priced(chain, "Free"),
    "behind-a-gap": BehindAGap,
    "deleted": Deleted,
}
ALONE: dict[str, Any] = {  # on a chain of their own, one at a time
    "dear-gas": lambda chain: Stalled(chain, older=False),
    "dear-gas-older-mined": lambda chain: Stalled(chain, older=True),
}
