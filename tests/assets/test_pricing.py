"""After the publication the owner mints, a stranger buys through each pricing kind, the market has
its share, and the operator has no say any more: on a real chain, by Ocean's own contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from web3.constants import ADDRESS_ZERO
from web3.contract import AsyncContract

from posthuman.api.asset import AssetStatus
from posthuman.errors import UserError
from posthuman.ledger.account import mint
from posthuman.ledger.provider_fee import NO_PROVIDER_FEE
from tests.assets.real import RealWorld, check_real
from tests.assets.strangers import BOB_KEY, Person, give_ocean, person
from tests.assets.world import TOKENS, model_asset
from tests.builders import BOB
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
NO_CONSUME_FEE = (ADDRESS_ZERO, ADDRESS_ZERO, 0)
MARKET_WEI = 3 * TOKENS // 10
RATE_WEI = 5 * TOKENS // 2


@pytest.fixture
async def stranger(chain: Chain) -> AsyncIterator[Person]:
    async with person(chain) as found:
        yield found


@pytest.fixture
async def owner(chain: Chain) -> AsyncIterator[Person]:
    async with person(chain, BOB_KEY) as found:
        yield found


@pytest.fixture
async def market(chain: Chain) -> AsyncIterator[Person]:
    """Who is paid a share of each order."""
    async with person(chain) as found:
        yield found


class Published(msgspec.Struct, frozen=True):
    """An asset as Bob has it now, and who signed for it."""

    status: AssetStatus
    signer: bytes


async def published(chain: Chain, market: Person | None = None, **pricing: str) -> Published:
    fee = {
        "address": market.address if market else "",
        "token": chain.contracts.ocean_token,
        "amount": "0.3",
    }
    signer = await chain.new_account()
    world = RealWorld(chain, signer, **({"marketFee": fee} if market else {}))
    key = world.add(model_asset(pricing=pricing))
    await world.publish(key)
    await check_real(world, key)
    await world.close()
    return Published(world.asset(key).status, bytes(signer.key))


def fixed_rate(chain: Chain) -> dict[str, str]:
    return {"kind": "FixedRate", "token": chain.contracts.ocean_token, "rate": "2.5"}


async def order(
    buyer: Person, chain: Chain, asset: Published, paid: bool = True, index: int = 0
) -> None:
    """Of a service, with a datatoken that the buyer has; `paid`: the market's share is allowed."""
    datatoken = buyer.token(asset.status.datatoken)
    if paid:
        ocean = buyer.token(chain.contracts.ocean_token)
        await buyer.do(ocean.functions.approve(datatoken.address, MARKET_WEI))
    no_fee = NO_PROVIDER_FEE.as_argument()
    call = datatoken.functions.startOrder(buyer.address, index, no_fee, NO_CONSUME_FEE)
    await buyer.do(call)


async def balance(who: Person, token: str) -> int:
    return int(await who.token(token).functions.balanceOf(who.address).call())


async def test_plain_the_owner_mints_and_hands_out_what_a_stranger_orders_with(
    chain: Chain, owner: Person, stranger: Person, market: Person
) -> None:
    asset = await published(chain, market, kind="Plain")
    await give_ocean(chain, stranger.address, TOKENS)
    await mint(chain.url, BOB_KEY, asset.status.datatoken, stranger.address, TOKENS)
    await order(stranger, chain, asset)
    assert await balance(stranger, asset.status.datatoken) == 0
    assert await balance(market, chain.contracts.ocean_token) == MARKET_WEI


async def test_at_a_fixed_rate_a_stranger_buys_and_owner_and_market_are_paid(
    chain: Chain, owner: Person, stranger: Person, market: Person
) -> None:
    ocean = chain.contracts.ocean_token
    asset = await published(chain, market, **fixed_rate(chain))
    await give_ocean(chain, stranger.address, 5 * TOKENS)
    exchange, offer = await buy(chain, stranger, asset)
    paid = 5 * TOKENS - await balance(stranger, ocean)
    assert paid >= RATE_WEI
    await order(stranger, chain, asset, index=2)
    assert await balance(market, ocean) == MARKET_WEI
    assert await balance(stranger, ocean) == 5 * TOKENS - paid - MARKET_WEI
    before = await balance(owner, ocean)
    await owner.do(exchange.functions.collectBT(offer, RATE_WEI))
    assert await balance(owner, ocean) - before == RATE_WEI


async def buy(chain: Chain, buyer: Person, asset: Published) -> tuple[AsyncContract, bytes]:
    """One datatoken; the exchange and its offer."""
    ocean = buyer.token(chain.contracts.ocean_token)
    exchange = buyer.contract("FixedRateExchange", chain.contracts.fixed_rate_exchange)
    await buyer.do(ocean.functions.approve(exchange.address, 5 * TOKENS))
    datatoken = buyer.token(asset.status.datatoken).address
    offer = await exchange.functions.generateExchangeId(ocean.address, datatoken).call()
    await buyer.do(exchange.functions.buyDT(offer, TOKENS, 5 * TOKENS, ADDRESS_ZERO, 0))
    assert await balance(buyer, asset.status.datatoken) == TOKENS
    return exchange, offer


async def test_from_the_dispenser_a_stranger_draws_one_and_pays_the_market_alone(
    chain: Chain, stranger: Person, market: Person
) -> None:
    asset = await published(chain, market, kind="Free")
    await give_ocean(chain, stranger.address, TOKENS)
    dispenser = stranger.contract("Dispenser", chain.contracts.dispenser)
    datatoken = stranger.token(asset.status.datatoken)
    await stranger.do(dispenser.functions.dispense(datatoken.address, TOKENS, stranger.address))
    await order(stranger, chain, asset)
    assert await balance(stranger, chain.contracts.ocean_token) == TOKENS - MARKET_WEI
    assert await balance(market, chain.contracts.ocean_token) == MARKET_WEI


async def test_who_doesnt_pay_the_market_orders_nothing(
    chain: Chain, stranger: Person, market: Person
) -> None:
    asset = await published(chain, market, kind="Plain")
    await mint(chain.url, BOB_KEY, asset.status.datatoken, stranger.address, TOKENS)
    with pytest.raises(UserError):
        await order(stranger, chain, asset, paid=False)
    assert await balance(stranger, asset.status.datatoken) == TOKENS


async def test_without_a_market_fee_an_order_costs_a_datatoken(
    chain: Chain, stranger: Person
) -> None:
    asset = await published(chain, kind="Plain")
    await mint(chain.url, BOB_KEY, asset.status.datatoken, stranger.address, TOKENS)
    await order(stranger, chain, asset, paid=False)
    assert await balance(stranger, asset.status.datatoken) == 0


@pytest.mark.parametrize("kind", ["Plain", "FixedRate", "Free"])
async def test_the_owner_mints_whatever_the_pricing_and_the_operator_has_no_role(
    chain: Chain, stranger: Person, kind: str
) -> None:
    pricing: dict[str, Any] = fixed_rate(chain) if kind == "FixedRate" else {"kind": kind}
    asset = await published(chain, **pricing)
    await mint(chain.url, BOB_KEY, asset.status.datatoken, stranger.address, 3 * TOKENS)
    assert await balance(stranger, asset.status.datatoken) == 3 * TOKENS
    async with person(chain, asset.signer) as operator:
        await has_no_role(operator, asset, stranger)


async def has_no_role(operator: Person, asset: Published, stranger: Person) -> None:
    """Neither by what the contracts say of roles, nor by trying."""
    nft, datatoken = operator.nft(asset.status.nft), operator.token(asset.status.datatoken)
    roles = await nft.functions.getPermissions(operator.address).call()
    assert roles == (False, False, False, False)  # manager, deployer, metadata, store
    assert not await nft.functions.isERC20Deployer(operator.address).call()
    assert await datatoken.functions.getPermissions(operator.address).call() == (False, False)
    assert not await datatoken.functions.isMinter(operator.address).call()
    assert await datatoken.functions.getPaymentCollector().call() == BOB
    for call in (
        nft.functions.addManager(operator.address),
        nft.functions.setMetaData(0, "", "", b"\0", b"{}", bytes(32), []),
        nft.functions.setMetaDataState(3),
        nft.functions.safeTransferFrom(BOB, operator.address, 1),
        datatoken.functions.mint(operator.address, TOKENS),
        datatoken.functions.addMinter(operator.address),
        datatoken.functions.setPaymentCollector(operator.address),
    ):
        with pytest.raises(UserError):
            await operator.do(call)


async def test_the_owner_sells_the_nft_and_its_new_owner_changes_what_is_said_of_it(
    chain: Chain, owner: Person, stranger: Person
) -> None:
    asset = await published(chain, kind="Plain")
    await owner.set_ddo(asset.status.nft, {"version": 2})
    nft = owner.nft(asset.status.nft)
    await owner.do(nft.functions.safeTransferFrom(owner.address, stranger.address, 1))
    assert await nft.functions.ownerOf(1).call() == stranger.address
    await stranger.set_ddo(asset.status.nft, {"version": 3})
    await mint(
        chain.url, bytes(stranger.account.key), asset.status.datatoken, stranger.address, TOKENS
    )
    with pytest.raises(UserError):
        await owner.set_ddo(asset.status.nft, {"version": 4})
    datatoken = owner.token(asset.status.datatoken)
    with pytest.raises(UserError):
        await owner.do(datatoken.functions.mint(owner.address, TOKENS))


@pytest.mark.parametrize(
    ("kind", "field"), [("FixedRate", "fixed_rate_exchange"), ("Free", "dispenser")]
)
async def test_a_chain_without_the_contract_says_so_and_spends_nothing(
    chain: Chain, kind: str, field: str
) -> None:
    """Where the environment names its own contracts this is told before; here the ledger is."""
    lacking = msgspec.structs.replace(chain.contracts, **{field: ""})
    world = RealWorld(msgspec.structs.replace(chain, contracts=lacking), await chain.new_account())
    pricing: dict[str, Any] = fixed_rate(chain) if kind == "FixedRate" else {"kind": kind}
    key = world.add(model_asset(pricing=pricing))
    await world.run_until(
        lambda found: any(one.reason == "PricingUnavailable" for one in found.status.conditions),
        world.operator(),
        key,
    )
    assert "publish with pricing Plain" in world.condition(key).message
    assert not world.held()
    await world.close()
