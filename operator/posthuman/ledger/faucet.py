"""OCEAN for the people of a chain of one's own, where whoever deployed the token can make it."""

from __future__ import annotations

from collections.abc import Iterable

from web3 import AsyncWeb3

from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.rpc import open_web3
from posthuman.ledger.transact import transact

_OCEAN_ABI = abi_of("OceanToken", "mint")


async def give_ocean(
    rpc_url: str,
    ocean_token: str,
    addresses: Iterable[str],
    wei: int,
    deployer_key: bytes = DEV_KEYS[0],
) -> None:
    """So much to each. Raises UserError where the key isn't its deployer's."""
    web3, deployer = open_web3(rpc_url), account_of(deployer_key)
    token = web3.eth.contract(AsyncWeb3.to_checksum_address(ocean_token), abi=_OCEAN_ABI)
    try:
        for address in addresses:
            call = token.functions.mint(AsyncWeb3.to_checksum_address(address), wei)
            await transact(web3, deployer, call, f"giving OCEAN to {address}")
    finally:
        await web3.provider.disconnect()
