"""Earnings read from a real chain's events, held against the balances there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3

from posthuman.api.asset import PricingKind
from posthuman.assets.did import did_of
from posthuman.chain import Sale
from posthuman.errors import NotFound
from posthuman.ledger.account import balance_wei, mint
from posthuman.ledger.buying import opened_buyer, reuse_order, send_tokens, start_order
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.earnings import EarningsReader, open_earnings
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.takings import FeeKind
from posthuman.ledger.transact import transact
from tests.ledger.market import TOKENS, asset_of, at_a_rate, market_fee, rich
from tests.ledger.provider_fees import signed_provider_fee
from tests.services.chain import Chain

pytestmark = pytest.mark.chain


@pytest.fixture
async def earnings(chain: Chain) -> AsyncIterator[EarningsReader]:
    reader = open_earnings(chain.url, chain.spec())
    yield reader
    await reader.close()


async def order(chain: Chain, buyer: LocalAccount, datatoken: str, service: int = 0) -> str:
    return (await start_order(chain.url, bytes(buyer.key), datatoken, service)).tx_id


async def test_what_is_sold_at_a_rate(chain: Chain, earnings: EarningsReader) -> None:
    owner, market, buyer = (
        await chain.new_account(),
        await chain.new_account(),
        await rich(chain, 50),
    )
    fee = market_fee(chain, market.address, "1.5")
    asset = await asset_of(chain, owner, at_a_rate(chain, owner.address, "4"), fee)
    ids = [await order(chain, buyer, asset.datatoken, service) for service in (0, 2)]
    found = await earnings.of_asset(did_of(asset.nft, CHAIN_ID))
    assert (found.owner, found.services) == (owner.address, ("train", "infer", "evaluate"))
    orders = found.takings.orders
    assert [taken.tx_id for taken in orders] == ids
    assert [taken.service_index for taken in orders] == [0, 2]
    assert {(taken.payer, taken.consumer) for taken in orders} == {(buyer.address, buyer.address)}
    assert {fee.kind for taken in orders for fee in taken.fees} == {FeeKind.MARKET}
    ocean = chain.contracts.ocean_token
    got = await balance_wei(chain.url, ocean, market.address)
    assert sum(fee.wei for taken in orders for fee in taken.fees) == got == 3 * TOKENS
    swaps = found.takings.swaps
    spent = 50 * TOKENS - await balance_wei(chain.url, ocean, buyer.address)
    assert sum(swap.paid_wei for swap in swaps) == spent - got
    assert [swap.datatoken_wei for swap in swaps] == [TOKENS, TOKENS]
    [waiting] = found.waiting
    assert sum(swap.owner_wei for swap in swaps) == waiting.wei == 8 * TOKENS
    assert sum(swap.ocean_wei for swap in swaps) == spent - got - waiting.wei
    back = await balance_wei(chain.url, asset.datatoken, owner.address)
    assert sum(taken.returned_wei for taken in orders) == back
    assert sum(taken.community_wei for taken in orders) == 2 * TOKENS - back
    assert found.takings.minted_wei == 2 * TOKENS


async def test_what_was_sold_back_is_no_income(chain: Chain, earnings: EarningsReader) -> None:
    owner, buyer = await chain.new_account(), await rich(chain, 50)
    asset = await asset_of(chain, owner, at_a_rate(chain, owner.address, "4"))
    web3 = open_web3(chain.url)
    async with opened_buyer(chain.url, bytes(buyer.key)) as hands:
        quote = await hands.quote(asset.datatoken)
        await hands.acquire(quote)
    exchange = web3.eth.contract(
        AsyncWeb3.to_checksum_address(chain.contracts.fixed_rate_exchange),
        abi=abi_of("FixedRateExchange", "sellDT"),
    )
    token = web3.eth.contract(
        AsyncWeb3.to_checksum_address(asset.datatoken), abi=abi_of("ERC20Template", "approve")
    )
    approve = token.functions.approve(exchange.address, TOKENS)
    await transact(web3, buyer, approve, "approving")
    nobody = AsyncWeb3.to_checksum_address("0x" + 40 * "0")
    sell = exchange.functions.sellDT(quote.exchange_id, TOKENS, 0, nobody, 0)
    await transact(web3, buyer, sell, "selling back")
    await web3.provider.disconnect()
    found = await earnings.of_asset(did_of(asset.nft, CHAIN_ID))
    bought, returned = found.takings.swaps
    assert (bought.datatoken_wei, returned.datatoken_wei) == (TOKENS, -TOKENS)
    assert bought.owner_wei + returned.owner_wei == found.waiting[0].wei == 0
    left = await balance_wei(chain.url, chain.contracts.ocean_token, buyer.address)
    assert bought.paid_wei + returned.paid_wei == 50 * TOKENS - left


async def test_what_is_given_away(chain: Chain, earnings: EarningsReader) -> None:
    owner, buyer = await chain.new_account(), await chain.new_account()
    asset = await asset_of(chain, owner, Sale(kind=PricingKind.FREE, owner=owner.address))
    await order(chain, buyer, asset.datatoken, 1)
    takings = (await earnings.of_asset(did_of(asset.nft, CHAIN_ID))).takings
    assert (takings.given_wei, takings.minted_wei, takings.swaps) == (TOKENS, TOKENS, ())
    assert [taken.service_index for taken in takings.orders] == [1]
    assert takings.orders[0].fees == ()


async def test_what_the_owner_hands_out_and_what_a_provider_takes(
    chain: Chain, earnings: EarningsReader
) -> None:
    owner, provider, buyer = (
        await chain.new_account(),
        await chain.new_account(),
        await rich(chain, 9),
    )
    asset = await asset_of(chain, owner)
    key = bytes(owner.key)
    await mint(chain.url, key, asset.datatoken, owner.address, 5 * TOKENS)
    await send_tokens(chain.url, key, asset.datatoken, buyer.address, 2 * TOKENS)
    fee = signed_provider_fee(
        bytes(provider.key),
        token=chain.contracts.ocean_token,
        wei=TOKENS,
        valid_until=2_000_000_000,
    )
    bought = await start_order(chain.url, bytes(buyer.key), asset.datatoken, 0, fee=fee)
    again = await reuse_order(chain.url, bytes(buyer.key), asset.datatoken, bought.tx_id, fee)
    takings = (await earnings.of_asset(did_of(asset.nft, CHAIN_ID))).takings
    assert (takings.minted_wei, takings.handed_out_wei) == (5 * TOKENS, 2 * TOKENS)
    first, reused = takings.orders
    assert (reused.tx_id, reused.reused_tx_id) == (again, bought.tx_id)
    for taken in (first, reused):
        [paid] = taken.fees
        assert (paid.kind, paid.to, paid.wei) == (FeeKind.PROVIDER, provider.address, TOKENS)
    assert reused.returned_wei == 0


async def test_an_address_has_its_assets_and_its_shares_as_a_market(
    chain: Chain, earnings: EarningsReader
) -> None:
    owner, other, buyer = (
        await chain.new_account(),
        await chain.new_account(),
        await rich(chain, 50),
    )
    fee = market_fee(chain, owner.address, "2")
    own = await asset_of(chain, owner, at_a_rate(chain, owner.address, "1"), fee)
    foreign = await asset_of(chain, other, at_a_rate(chain, other.address, "1"), fee)
    for datatoken in (own.datatoken, foreign.datatoken, foreign.datatoken):
        await order(chain, buyer, datatoken)
    found = await earnings.of_owner(owner.address)
    assert [asset.did for asset in found.assets] == [did_of(own.nft, CHAIN_ID)]
    shares = {share.did: (share.wei, share.orders) for share in found.shares}
    assert shares == {
        did_of(own.nft, CHAIN_ID): (2 * TOKENS, 1),
        did_of(foreign.nft, CHAIN_ID): (4 * TOKENS, 2),
    }
    got = await balance_wei(chain.url, chain.contracts.ocean_token, owner.address)
    assert sum(share.wei for share in found.shares) == got


async def test_an_asset_that_is_none(earnings: EarningsReader) -> None:
    with pytest.raises(NotFound):
        await earnings.of_asset("did:op:" + 64 * "0")
