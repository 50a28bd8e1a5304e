"""Assets for sale on a real chain, and people with tokens to pay for them."""

from __future__ import annotations

import json

from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3

from posthuman.api.asset import PricingKind
from posthuman.assets.ddo import in_clear
from posthuman.chain import PLAIN, CreatedNFT, MarketFee, Publication, Receipt, Sale
from posthuman.chain import UnsignedTransaction as Unsigned
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.ocean import OceanLedger
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.transact import transact
from tests.services.chain import Chain, mined

TOKENS = 10**18
NO_FEE = MarketFee()
SERVICES = ("train", "infer", "evaluate")
_OCEAN_ABI = abi_of("OceanToken", "mint")


def at_a_rate(chain: Chain, owner: str, rate: str) -> Sale:
    """So many whole OCEAN a datatoken."""
    token = chain.contracts.ocean_token
    return Sale(kind=PricingKind.FIXED_RATE, owner=owner, token=token, rate=rate)


def market_fee(chain: Chain, address: str, amount: str) -> MarketFee:
    """So many whole OCEAN an order."""
    return MarketFee(address=address, token=chain.contracts.ocean_token, amount=amount)


async def asset_of(
    chain: Chain,
    owner: LocalAccount,
    sale: Sale = PLAIN,
    fee: MarketFee = NO_FEE,
    name: str = "A model",
    ddo: bytes = b"",
) -> CreatedNFT:
    """Published by a signer of its own, and the owner's from then on; `ddo`: one with all services
    if empty."""
    digest = "sha256:" + "0" * 64
    said = Publication(publication_id=name, parents=(), manifest_digest=digest)
    async with chain.ledger() as ledger:
        created = await carried_out(ledger, await ledger.prepare_create(said, name, fee, sale))
        metadata = in_clear(ddo or ddo_of(created.datatoken))
        await carried_out(ledger, await ledger.prepare_metadata(created.nft, metadata))
        await carried_out(ledger, await ledger.prepare_transfer(created.nft, owner.address))
        found = await ledger.find(name)
    assert found and found.nft == created.nft
    return found


def ddo_of(datatoken: str) -> bytes:
    """Of it only the services, as buyers read them; each trusts whatever runs on it."""
    compute = {"publisherTrustedAlgorithms": [], "publisherTrustedAlgorithmPublishers": ["*"]}
    service = {"type": "compute", "datatokenAddress": datatoken, "timeout": 3600}
    services = [{"id": name, **service, "compute": compute} for name in SERVICES]
    return json.dumps({"services": services}).encode()


async def carried_out(ledger: OceanLedger, unsigned: Unsigned) -> Receipt:
    """Signed, sent and mined."""
    signed = await ledger.sign(unsigned, (await ledger.nonces()).pending)
    await ledger.send(signed.raw)
    return await mined(ledger, signed.hash)


async def rich(chain: Chain, ocean: int) -> LocalAccount:
    """Somebody with so many OCEAN, from whoever deployed it, who has all of it."""
    account = await chain.new_account()
    web3 = open_web3(chain.url)
    address = AsyncWeb3.to_checksum_address(chain.contracts.ocean_token)
    token = web3.eth.contract(address, abi=_OCEAN_ABI)
    call = token.functions.mint(account.address, ocean * TOKENS)
    await transact(web3, account_of(DEV_KEYS[0]), call, "giving OCEAN away")
    await web3.provider.disconnect()
    return account
