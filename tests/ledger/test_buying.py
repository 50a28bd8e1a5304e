"""Buyers on a real chain: they pay what was quoted, to whom it belongs, and get an order."""

from __future__ import annotations

import pytest
from eth_typing import HexStr
from web3 import AsyncWeb3
from web3.logs import DISCARD

from posthuman.api.asset import PricingKind
from posthuman.chain import Sale
from posthuman.errors import UserError
from posthuman.ledger.account import balance_wei, mint
from posthuman.ledger.buying import opened_buyer, reuse_order, send_tokens, start_order
from posthuman.ledger.contracts import artifact
from posthuman.ledger.quotes import Source
from posthuman.ledger.rpc import open_web3
from tests.ledger.market import TOKENS, asset_of, at_a_rate, market_fee, rich
from tests.ledger.provider_fees import signed_provider_fee
from tests.services.chain import Chain

pytestmark = pytest.mark.chain


async def started(chain: Chain, tx_id: str, datatoken: str) -> dict[str, object]:
    """The one OrderStarted event of a transaction."""
    web3 = open_web3(chain.url)
    address = AsyncWeb3.to_checksum_address(datatoken)
    token = web3.eth.contract(address, abi=artifact("ERC20Template").abi)
    receipt = await web3.eth.get_transaction_receipt(HexStr(tx_id))
    await web3.provider.disconnect()
    [event] = token.events.OrderStarted().process_receipt(receipt, errors=DISCARD)
    return dict(event["args"])


async def test_at_a_fixed_rate_the_price_and_the_market_fee_are_paid(chain: Chain) -> None:
    owner, market, buyer = (
        await chain.new_account(),
        await chain.new_account(),
        await rich(chain, 9),
    )
    fee = market_fee(chain, market.address, "1.5")
    asset = await asset_of(chain, owner, at_a_rate(chain, owner.address, "2"), fee)
    ocean = chain.contracts.ocean_token
    bought = await start_order(chain.url, bytes(buyer.key), asset.datatoken, 2)
    said = await started(chain, bought.tx_id, asset.datatoken)
    assert (said["consumer"], said["payer"]) == (buyer.address, buyer.address)
    assert said["serviceIndex"] == 2
    asked = {cost.what: cost.wei for cost in bought.quote.costs}
    assert bought.quote.source is Source.EXCHANGE
    assert asked["datatoken"] >= 2 * TOKENS
    assert await balance_wei(chain.url, ocean, buyer.address) == 9 * TOKENS - sum(asked.values())
    assert await balance_wei(chain.url, ocean, market.address) == asked["market fee"]
    assert asked["market fee"] == 1.5 * TOKENS
    assert await balance_wei(chain.url, asset.datatoken, buyer.address) == 0


async def test_what_is_given_away_costs_nothing(chain: Chain) -> None:
    owner, buyer = await chain.new_account(), await chain.new_account()
    asset = await asset_of(chain, owner, Sale(kind=PricingKind.FREE, owner=owner.address))
    bought = await start_order(chain.url, bytes(buyer.key), asset.datatoken)
    assert (bought.quote.source, bought.quote.costs) == (Source.DISPENSER, ())
    assert (await started(chain, bought.tx_id, asset.datatoken))["payer"] == buyer.address


async def test_a_datatoken_that_is_held_is_used_first_and_the_order_may_be_for_another(
    chain: Chain,
) -> None:
    owner, friend = await chain.new_account(), await chain.new_account()
    buyer = await chain.new_account()
    asset = await asset_of(chain, owner, at_a_rate(chain, owner.address, "2"))
    await mint(chain.url, bytes(owner.key), asset.datatoken, owner.address, 2 * TOKENS)
    key = bytes(owner.key)
    await send_tokens(chain.url, key, asset.datatoken, buyer.address, TOKENS)
    bought = await start_order(
        chain.url, bytes(buyer.key), asset.datatoken, consumer=friend.address
    )
    said = await started(chain, bought.tx_id, asset.datatoken)
    assert (said["consumer"], said["payer"]) == (friend.address, buyer.address)
    assert (bought.quote.source, bought.quote.costs) == (Source.HELD, ())


async def test_what_nobody_sells_can_not_be_bought(chain: Chain) -> None:
    owner, buyer = await chain.new_account(), await chain.new_account()
    asset = await asset_of(chain, owner)
    with pytest.raises(UserError, match="ask the asset's owner"):
        await start_order(chain.url, bytes(buyer.key), asset.datatoken)


async def test_who_has_too_little_pays_nothing_and_is_told_what_is_missing(chain: Chain) -> None:
    owner, buyer = await chain.new_account(), await rich(chain, 3)
    fee = market_fee(chain, owner.address, "2")
    asset = await asset_of(chain, owner, at_a_rate(chain, owner.address, "4"), fee)
    with pytest.raises(UserError, match=r"holds 3 OCEAN and needs 6(\.\d+)? OCEAN"):
        await start_order(chain.url, bytes(buyer.key), asset.datatoken)
    ocean = chain.contracts.ocean_token
    assert await balance_wei(chain.url, ocean, buyer.address) == 3 * TOKENS
    assert await chain.rpc("eth_getTransactionCount", buyer.address, "latest") == "0x0"


async def test_a_providers_fee_is_paid_to_who_signed_it_and_again_when_the_order_is_reused(
    chain: Chain,
) -> None:
    owner, provider, buyer = (
        await chain.new_account(),
        await chain.new_account(),
        await rich(chain, 5),
    )
    ocean = chain.contracts.ocean_token
    asset = await asset_of(chain, owner, Sale(kind=PricingKind.FREE, owner=owner.address))
    key, wei = bytes(provider.key), 2 * TOKENS
    fee = signed_provider_fee(key, token=ocean, wei=wei, valid_until=2_000_000_000, data=b"{}")
    bought = await start_order(chain.url, bytes(buyer.key), asset.datatoken, fee=fee)
    got = await balance_wei(chain.url, ocean, provider.address)
    again = await reuse_order(chain.url, bytes(buyer.key), asset.datatoken, bought.tx_id, fee)
    assert again != bought.tx_id
    assert 0 < got <= wei  # Ocean's community may take a share
    assert await balance_wei(chain.url, ocean, provider.address) == 2 * got
    assert await balance_wei(chain.url, ocean, buyer.address) == TOKENS


async def test_a_fee_that_its_receiver_did_not_sign_is_refused(chain: Chain) -> None:
    owner, thief = await chain.new_account(), await chain.new_account()
    asset = await asset_of(chain, owner, Sale(kind=PricingKind.FREE, owner=owner.address))
    signed = signed_provider_fee(bytes(owner.key), valid_until=1)
    forged = type(signed)(address=thief.address, v=signed.v, r=signed.r, s=signed.s)
    async with opened_buyer(chain.url, bytes(thief.key)) as buyer:
        quote = await buyer.quote(asset.datatoken)
        with pytest.raises(UserError, match="Invalid provider fee"):
            await buyer.order(quote, 0, fee=forged)
