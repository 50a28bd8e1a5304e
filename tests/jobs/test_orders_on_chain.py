"""Orders of Ocean's own contracts: what Bob bought on a real chain is what his job may have."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.asset import ModelAsset, PricingKind
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key
from posthuman.assets.did import did_of
from posthuman.chain import CreatedNFT, Sale
from posthuman.chain_ports import ChainReader
from posthuman.ledger.buying import reuse_order, start_order
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.provider_fee import NO_PROVIDER_FEE
from posthuman.ledger.reader import OceanReader, open_reader
from tests.builders import CHAIN, MODEL_INPUT, TEXT_INPUT, HeldClock, asset
from tests.jobs.world import World
from tests.ledger.market import asset_of
from tests.ledger.provider_fees import signed_provider_fee
from tests.services.chain import Chain

pytestmark = pytest.mark.chain

HOUR = 3600  # of each service of the asset


class RealShop(World):
    """Alice's model is given away on a real chain; each order is worth an hour."""

    def __init__(
        self, chain: Chain, bob: LocalAccount, sold: CreatedNFT, reader: OceanReader
    ) -> None:
        spec = {**CHAIN, "confirmations": 2}
        super().__init__(chain=spec, policy={"verifyOrders": True})
        self.clock = HeldClock(datetime.now(UTC))
        self.real, self.bob, self.sold, self._reader = chain, bob, sold, reader
        self.reconciler = self.with_ports(self.cluster)
        self._publish()
        status = msgspec.structs.replace(self.environment.status, signer=sold.creator)
        found = self.objects.find(ComputeEnvironment, self.environment.metadata.key)
        assert found
        self.objects.write_status(msgspec.structs.replace(found, status=status))

    def _publish(self) -> None:
        found, digest = asset(), self.sold.publication.manifest_digest
        source = msgspec.structs.replace(found.spec.source, manifest_digest=digest)
        spec = msgspec.structs.replace(found.spec, source=source)
        found = msgspec.structs.replace(found, spec=spec)
        self.objects.create(found)
        made = self.objects.find(ModelAsset, found.metadata.key)
        assert made
        status = msgspec.structs.replace(
            found.status,
            did=did_of(self.sold.nft, CHAIN_ID),
            nft=self.sold.nft,
            datatoken=self.sold.datatoken,
        )
        self.objects.write_status(msgspec.structs.replace(made, status=status))

    async def reader_of(self, environment: ComputeEnvironment) -> ChainReader:
        return self._reader

    async def order(
        self, service: int = 0, consumer: str = "", by: LocalAccount | None = None, until: int = 0
    ) -> str:
        """Bob orders, or another; his fee, if it has an end, is signed by himself."""
        key = bytes((by or self.bob).key)
        fee = signed_provider_fee(key, valid_until=until) if until else NO_PROVIDER_FEE
        token = self.sold.datatoken
        bought = await start_order(self.real.url, key, token, service, consumer=consumer, fee=fee)
        await self.real.rpc("evm_mine")
        return bought.tx_id

    async def submitted(self, tx_id: str, name: str = "bob-trains", uid: str = "1") -> Key:
        """Bob's training on this order, looked at."""
        model = {**MODEL_INPUT, "order": {"txId": tx_id}}
        key = self.submit(name, uid, owner=self.bob.address, inputs=[TEXT_INPUT, model])
        await self.passes(key, 4)
        return key

    def accepted(self, key: Key) -> bool:
        return is_true(self.status(key).conditions, "Accepted")


@pytest.fixture
async def shop(chain: Chain) -> AsyncIterator[RealShop]:
    alice, bob = await chain.new_account(), await chain.new_account()
    sold = await asset_of(chain, alice, Sale(kind=PricingKind.FREE))
    reader = open_reader(chain.url, chain.spec())
    yield RealShop(chain, bob, sold, reader)
    await reader.close()


async def test_the_service_that_was_bought_may_run_for_its_hour(shop: RealShop) -> None:
    key = await shop.submitted(await shop.order())
    assert shop.accepted(key)
    (record,) = shop.status(key).orders
    assert (record.datatoken, record.paid_seconds) == (shop.sold.datatoken, HOUR)


async def test_another_service_may_not(shop: RealShop) -> None:
    key = await shop.submitted(await shop.order(service=1))
    assert shop.reason(key) == "OrderForOtherService"


async def test_nor_somebody_else(shop: RealShop) -> None:
    eve = await shop.real.new_account()
    key = await shop.submitted(await shop.order(by=eve))
    assert shop.reason(key) == "OrderOfAnother"
    gift = await shop.submitted(await shop.order(by=eve, consumer=shop.bob.address), "gift", "2")
    assert shop.accepted(gift)


async def test_nor_on_the_order_of_another_asset(shop: RealShop) -> None:
    cheap = await asset_of(shop.real, shop.bob, Sale(kind=PricingKind.FREE), name="Bob's own")
    bought = await start_order(shop.real.url, bytes(shop.bob.key), cheap.datatoken)
    key = await shop.submitted(bought.tx_id)
    assert shop.reason(key) == "OrderForOtherAsset"


async def test_it_waits_for_the_confirmations_and_for_the_order(shop: RealShop) -> None:
    token = shop.sold.datatoken
    bought = await start_order(shop.real.url, bytes(shop.bob.key), token)
    key = await shop.submitted(bought.tx_id)
    assert shop.reason(key) == "OrderUnconfirmed"
    await shop.real.rpc("evm_mine")
    await shop.passes(key, 4)
    assert shop.accepted(key)
    unknown = await shop.submitted("0x" + "7" * 64, "bob-hopes", "2")
    assert shop.reason(unknown) == "OrderNotFound"


async def test_a_reuse_prolongs_and_never_beyond_what_the_datatoken_bought(
    shop: RealShop,
) -> None:
    now = int(time.time())
    first = await shop.order(until=now - 10)
    expired = await shop.submitted(first)
    assert shop.reason(expired) == "OrderExpired"
    key = bytes(shop.bob.key)
    fee = signed_provider_fee(key, valid_until=now + 10 * HOUR)
    again = await reuse_order(shop.real.url, key, shop.sold.datatoken, first, fee)
    await shop.real.rpc("evm_mine")
    prolonged = await shop.submitted(again, "bob-again", "2")
    assert shop.accepted(prolonged)
    (record,) = shop.status(prolonged).orders
    assert (record.tx_id, record.reuse_tx_id) == (first, again)
    assert record.paid_seconds == HOUR
    late = HeldClock(shop.clock.now())
    late.forward(HOUR + 60)
    shop.clock = late
    shop.reconciler = shop.with_ports(shop.cluster)
    too_late = await shop.submitted(again, "bob-late", "3")
    assert shop.reason(too_late) == "OrderExpired"


async def test_the_nft_s_new_owner_needs_no_order_and_its_old_one_does(shop: RealShop) -> None:
    own = await asset_of(shop.real, shop.bob, name="Bob's own")
    mine = RealShop(shop.real, shop.bob, own, shop._reader)
    key = mine.submit(owner=shop.bob.address, inputs=[TEXT_INPUT, MODEL_INPUT])
    await mine.passes(key, 4)
    assert mine.accepted(key)
    theirs = shop.submit(owner=shop.bob.address, inputs=[TEXT_INPUT, MODEL_INPUT])
    await shop.passes(theirs, 4)
    assert shop.reason(theirs) == "OrderMissing"
