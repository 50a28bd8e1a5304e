"""Orders as the ChainReader port tells them, on the fake and on Ocean's contracts."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.chain import MarketFee, Order, Publication, UnsignedTransaction
from posthuman.chain_ports import ChainReader
from posthuman.errors import UserError
from posthuman.ledger.buying import opened_buyer
from posthuman.ledger.ocean import OceanLedger
from posthuman.ledger.reader import open_reader
from tests.builders import ALICE, BOB
from tests.fakes.ledger import FakeChain, FakeReader, address
from tests.ledger.provider_fees import signed_provider_fee
from tests.services.chain import Chain, mined

UNKNOWN = "0x" + "7" * 64
LATER = 4_000_000_000  # epoch seconds


class Market(Protocol):
    """Datatokens, and one buyer who has enough of each."""

    @property
    def buyer(self) -> str: ...
    @property
    def reader(self) -> ChainReader: ...
    async def token(self) -> str:
        """A new datatoken."""

    async def start(self, token: str, service: int, consumer: str = "", until: int = 0) -> str:
        """startOrder; the transaction."""

    async def reuse(self, token: str, order: str, until: int = 0) -> str:
        """reuseOrder by the buyer; the transaction."""

    async def mine(self) -> None:
        """One block more."""


class FakeMarket:
    buyer = BOB

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.reader = FakeReader(self.chain)

    async def token(self) -> str:
        return address(str(uuid.uuid4()))

    async def start(self, token: str, service: int, consumer: str = "", until: int = 0) -> str:
        order = Order(
            tx_id="0x" + uuid.uuid4().hex * 2,
            datatoken=token,
            consumer=consumer or BOB,
            payer=BOB,
            service_index=service,
            timestamp=1_000_000 + self.chain.block,
            block=self._mined(),
            confirmations=0,
            valid_until=until,
        )
        self.chain.orders[order.tx_id] = order
        return order.tx_id

    async def reuse(self, token: str, order: str, until: int = 0) -> str:
        tx_id = "0x" + uuid.uuid4().hex * 2
        first = self.chain.orders.get(order)
        block = self._mined()
        self.chain.orders[tx_id] = (
            msgspec.structs.replace(
                first,
                reuse_tx_id=tx_id,
                reused_at=1_000_000 + block,
                valid_until=until,
                block=block,
            )
            if first and first.datatoken == token
            else Order(
                tx_id=tx_id,
                datatoken="none",
                consumer="",
                payer="",
                service_index=0,
                timestamp=0,
                block=block,
                confirmations=0,
            )
        )
        return tx_id

    async def mine(self) -> None:
        self.chain.mine()

    def _mined(self) -> int:
        self.chain.mine()
        return self.chain.block


class RealMarket:
    def __init__(
        self, chain: Chain, operator: OceanLedger, account: LocalAccount, reader: ChainReader
    ) -> None:
        self._chain, self._operator, self._account = chain, operator, account
        self.buyer = str(account.address)
        self.reader = reader

    async def token(self) -> str:
        ledger = self._operator
        said = Publication(publication_id=str(uuid.uuid4()), parents=(), manifest_digest="")
        created = await self._carry_out(await ledger.prepare_create(said, "Model", MarketFee()))
        await self._carry_out(await ledger.prepare_mint(created, self.buyer, 5 * 10**18))
        return created

    async def _carry_out(self, unsigned: UnsignedTransaction) -> str:
        ledger = self._operator
        signed = await ledger.sign(unsigned, (await ledger.nonces()).pending)
        await ledger.send(signed.raw)
        return (await mined(ledger, signed.hash)).datatoken

    async def start(self, token: str, service: int, consumer: str = "", until: int = 0) -> str:
        fee = signed_provider_fee(bytes(self._account.key), valid_until=until)
        async with opened_buyer(self._chain.url, bytes(self._account.key)) as buyer:
            return await buyer.order(await buyer.quote(token, fee), service, consumer, fee)

    async def reuse(self, token: str, order: str, until: int = 0) -> str:
        fee = signed_provider_fee(bytes(self._account.key), valid_until=until)
        async with opened_buyer(self._chain.url, bytes(self._account.key)) as buyer:
            return await buyer.reuse(token, order, fee)

    async def mine(self) -> None:
        await self._chain.rpc("evm_mine")


@pytest.fixture(params=["fake", pytest.param("anvil", marks=pytest.mark.chain)])
async def market(request: pytest.FixtureRequest) -> AsyncIterator[Market]:
    if request.param == "fake":
        yield FakeMarket()
        return
    chain: Chain = request.getfixturevalue("chain")
    reader = open_reader(chain.url, chain.spec())
    async with chain.ledger() as operator:
        yield RealMarket(chain, operator, await chain.new_account(), reader)
    await reader.close()


async def order_of(market: Market, tx_id: str, token: str) -> Order:
    found = await market.reader.order(tx_id, token)
    assert found
    return found


async def test_an_order_says_who_bought_which_service_until_when(market: Market) -> None:
    token = await market.token()
    tx_id = await market.start(token, 2, until=LATER)
    found = await order_of(market, tx_id, token)
    said = (found.tx_id, found.datatoken, found.consumer, found.payer)
    assert said == (tx_id, token, market.buyer, market.buyer)
    assert (found.service_index, found.valid_until) == (2, LATER)
    assert (found.reuse_tx_id, found.reused_at) == ("", 0)
    assert found.timestamp >= 1_000_000


async def test_its_confirmations_grow(market: Market) -> None:
    token = await market.token()
    tx_id = await market.start(token, 0)
    first = (await order_of(market, tx_id, token)).confirmations
    await market.mine()
    assert (await order_of(market, tx_id, token)).confirmations == first + 1


async def test_whoever_pays_may_order_for_another(market: Market) -> None:
    token = await market.token()
    found = await order_of(market, await market.start(token, 0, consumer=ALICE), token)
    assert (found.consumer, found.payer) == (ALICE, market.buyer)


async def test_a_reuse_is_the_order_that_it_prolongs(market: Market) -> None:
    token = await market.token()
    tx_id = await market.start(token, 1)
    first = await order_of(market, tx_id, token)
    again = await order_of(market, await market.reuse(token, tx_id, until=LATER), token)
    assert (again.tx_id, again.service_index, again.timestamp) == (tx_id, 1, first.timestamp)
    assert again.reuse_tx_id not in ("", tx_id)
    assert again.reused_at >= first.timestamp
    assert (first.valid_until, again.valid_until) == (0, LATER)
    assert again.block > first.block


async def test_a_reuse_of_nothing_is_no_order(market: Market) -> None:
    token = await market.token()
    tx_id = await market.reuse(token, UNKNOWN)
    with pytest.raises(UserError) as refused:
        await market.reader.order(tx_id, token)
    assert refused.value.reason == "OrderForOtherAsset"


async def test_a_reuse_of_another_token_s_order_is_none_of_this(market: Market) -> None:
    cheap, dear = await market.token(), await market.token()
    tx_id = await market.reuse(dear, await market.start(cheap, 0))
    with pytest.raises(UserError):
        await market.reader.order(tx_id, dear)


async def test_another_token_s_order_is_none_of_this(market: Market) -> None:
    cheap, dear = await market.token(), await market.token()
    tx_id = await market.start(cheap, 0)
    with pytest.raises(UserError) as refused:
        await market.reader.order(tx_id, dear)
    assert refused.value.reason == "OrderForOtherAsset"


async def test_what_is_not_mined_is_none_yet(market: Market) -> None:
    assert await market.reader.order(UNKNOWN, await market.token()) is None
