"""Anybody may give an address an NFT, or a share of a sale in a token of their own making."""

from __future__ import annotations

import pytest

from posthuman.assets.did import did_of
from posthuman.cli.earnings import tokens_of
from posthuman.ledger.contracts import artifact
from posthuman.ledger.earnings import open_earnings
from posthuman.ledger.node import CHAIN_ID
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.transact import transact
from tests.ledger.market import asset_of
from tests.services.chain import Chain

pytestmark = pytest.mark.chain


async def give_bare_nft(chain: Chain, to: str) -> None:
    """One without a datatoken."""
    web3, stranger = open_web3(chain.url), await chain.new_account()
    try:
        factory = web3.eth.contract(
            web3.to_checksum_address(chain.contracts.erc721_factory),
            abi=artifact("ERC721Factory").abi,
        )
        nowhere = "0x" + "0" * 40
        call = factory.functions.deployERC721Contract(
            "Bare", "B", 1, nowhere, nowhere, "data:,", True, to
        )
        await transact(web3, stranger, call, "making an NFT without a datatoken")
    finally:
        await web3.provider.disconnect()


async def test_an_nft_without_a_datatoken_earns_nothing_and_stops_nothing(chain: Chain) -> None:
    alice = await chain.new_account()
    sold = await asset_of(chain, alice)
    await give_bare_nft(chain, alice.address)
    earnings = open_earnings(chain.url, chain.spec())
    try:
        found = await earnings.of_owner(alice.address)
        bare = next(one for one in found.assets if one.name == "Bare")
        assert (await earnings.of_asset(bare.did)).name == "Bare"
    finally:
        await earnings.close()
    assert did_of(sold.nft, CHAIN_ID) in [one.did for one in found.assets]


async def test_a_token_that_tells_nothing_of_itself_is_told_by_its_address(chain: Chain) -> None:
    """A market's fee may be paid in any contract that takes the call."""
    ocean, silent = chain.contracts.ocean_token, chain.contracts.erc721_factory
    found = await tokens_of([ocean, silent], chain.url)
    assert (found[ocean].symbol, found[ocean].decimals) == ("OCEAN", 18)
    assert (found[silent].symbol, found[silent].decimals) == (silent, 0)
