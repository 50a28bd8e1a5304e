"""`posthuman earnings`: what an asset, or all that is an address's, took in; by the chain alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from rich.console import Console
from web3 import AsyncWeb3

from posthuman.cli.chain_place import ChainPlace, OpenChain, opened_chain
from posthuman.cli.earnings_account import (
    AssetAccount,
    OwnerAccount,
    Tokens,
    account_of_asset,
    account_of_owner,
    tokens_in,
)
from posthuman.cli.earnings_words import lines_of_asset, lines_of_owner
from posthuman.cli.ending import SUCCEEDED
from posthuman.cli.lineage import ADDRESS, DID
from posthuman.errors import UserError
from posthuman.ledger.earnings import open_earnings
from posthuman.ledger.quotes import Quotes, TokenFacts
from posthuman.ledger.rpc import open_web3


def show_earnings(subject: str, place: ChainPlace, as_json: bool) -> int:
    """Print what a DID or an address earned. Raises UserError, NotFound, TransientError."""
    if not (DID.fullmatch(subject) or ADDRESS.fullmatch(subject)):
        raise UserError(
            f'"{subject}" is neither a DID (did:op: and 64 hex digits) nor an address (0x and 40)'
        )
    with opened_chain(place) as chain:
        found = asyncio.run(_account(subject, chain))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return SUCCEEDED
    lines = lines_of_asset(found) if isinstance(found, AssetAccount) else lines_of_owner(found)
    Console(highlight=False).print("\n".join(lines), soft_wrap=True, markup=False)
    return SUCCEEDED


async def _account(subject: str, chain: OpenChain) -> AssetAccount | OwnerAccount:
    if DID.fullmatch(subject):
        return await asset_account(subject, chain)
    return await owner_account(subject, chain)


async def asset_account(did: str, chain: OpenChain) -> AssetAccount:
    """Of one asset. Raises NotFound, TransientError."""
    reader = open_earnings(chain.url, chain.spec)
    try:
        found = await reader.of_asset(did)
    finally:
        await reader.close()
    return account_of_asset(found, await tokens_of(tokens_in([found]), chain.url))


async def owner_account(address: str, chain: OpenChain) -> OwnerAccount:
    """Of all that an address has. Raises TransientError."""
    reader = open_earnings(chain.url, chain.spec)
    try:
        found = await reader.of_owner(AsyncWeb3.to_checksum_address(address.lower()))
    finally:
        await reader.close()
    paid_in = tokens_in(found.assets) | {share.token for share in found.shares}
    return account_of_owner(found, await tokens_of(paid_in, chain.url))


async def tokens_of(addresses: Iterable[str], rpc_url: str) -> Tokens:
    """Raises TransientError. Anybody may pay a share in a token of their own making, which needn't
    tell anything of itself: its address is its symbol then, and its smallest part its unit."""
    web3 = open_web3(rpc_url)
    try:
        return {address: await _facts(Quotes(web3), address) for address in addresses}
    finally:
        await web3.provider.disconnect()


async def _facts(quotes: Quotes, address: str) -> TokenFacts:
    try:
        return await quotes.facts(address)
    except UserError:
        return TokenFacts(symbol=address, decimals=0)
