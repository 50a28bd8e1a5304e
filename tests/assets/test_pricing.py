"""After the publication a stranger buys through each pricing kind, and the owner mints."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3
from web3.constants import ADDRESS_ZERO
from web3.contract import AsyncContract

from posthuman.ledger.account import DEV_KEYS, account_of, balance_wei, mint
from posthuman.ledger.contracts import artifact
from posthuman.ledger.rpc import Web3, open_web3
from posthuman.ledger.transact import Call, transact
from tests.assets.real import RealWorld, check_real
from tests.assets.world import TOKENS, model_asset
from tests.builders import BOB
from tests.services.chain import Chain

pytestmark = pytest.mark.chain
NOBODY = AsyncWeb3.to_checksum_address(ADDRESS_ZERO)


class Stranger:
    """Somebody with coins, who does things on chain."""

    def __init__(self, web3: Web3, account: LocalAccount) -> None:
        self.web3 = web3
        self.account = account
        self.address = account.address

    async def do(self, call: Call) -> None:
        await transact(self.web3, self.account, call, "what a stranger does")

    def contract(self, name: str, address: str) -> AsyncContract:
        checked = AsyncWeb3.to_checksum_address(address)
        return self.web3.eth.contract(checked, abi=artifact(name).abi)


@pytest.fixture
async def stranger(chain: Chain) -> AsyncIterator[Stranger]:
    web3 = open_web3(chain.url)
    yield Stranger(web3, await chain.new_account())
    await web3.provider.disconnect()


async def published(chain: Chain, **pricing: str) -> str:
    """The datatoken."""
    world = RealWorld(chain, await chain.new_account())
    key = world.add(model_asset(pricing=pricing))
    await world.publish(key)
    await check_real(world, key)
    await world.close()
    return world.asset(key).status.datatoken


async def test_at_a_fixed_rate_a_stranger_buys_and_the_owner_is_paid(
    chain: Chain, stranger: Stranger
) -> None:
    ocean = chain.contracts.ocean_token
    datatoken = await published(chain, kind="FixedRate", token=ocean, rate="2.5")
    await mint_ocean(chain, stranger, 5 * TOKENS)
    exchange = stranger.contract("FixedRateExchange", chain.contracts.fixed_rate_exchange)
    token = stranger.contract("OceanToken", ocean)
    await stranger.do(token.functions.approve(exchange.address, 5 * TOKENS))
    offer = await exchange.functions.generateExchangeId(
        AsyncWeb3.to_checksum_address(ocean), AsyncWeb3.to_checksum_address(datatoken)
    ).call()
    before = await balance_wei(chain.url, ocean, stranger.address)
    await stranger.do(exchange.functions.buyDT(offer, TOKENS, 5 * TOKENS, NOBODY, 0))
    assert await balance_wei(chain.url, datatoken, stranger.address) == TOKENS
    paid = before - await balance_wei(chain.url, ocean, stranger.address)
    assert paid >= 2.5 * TOKENS
    assert (await exchange.functions.getExchange(offer).call())[0] == BOB


async def mint_ocean(chain: Chain, stranger: Stranger, wei: int) -> None:
    """By whoever deployed the contracts, who has all of it."""
    token = stranger.contract("OceanToken", chain.contracts.ocean_token)
    deployer = account_of(DEV_KEYS[0])
    await transact(
        stranger.web3, deployer, token.functions.mint(stranger.address, wei), "giving OCEAN away"
    )


async def test_from_the_dispenser_a_stranger_draws_one_at_a_time(
    chain: Chain, stranger: Stranger
) -> None:
    datatoken = await published(chain, kind="Free")
    dispenser = stranger.contract("Dispenser", chain.contracts.dispenser)
    checked = AsyncWeb3.to_checksum_address(datatoken)
    await stranger.do(dispenser.functions.dispense(checked, TOKENS, stranger.address))
    assert await balance_wei(chain.url, datatoken, stranger.address) == TOKENS


@pytest.mark.parametrize("kind", ["Plain", "Free"])
async def test_the_owner_mints_whatever_the_pricing(
    chain: Chain, stranger: Stranger, kind: str
) -> None:
    datatoken = await published(chain, kind=kind)
    await mint(chain.url, DEV_KEYS[1], datatoken, stranger.address, 3 * TOKENS)
    assert await balance_wei(chain.url, datatoken, stranger.address) == 3 * TOKENS
