"""Accounts: keys as Secrets hold them, and what a plain account does on its own.

The operator never mints for an owner or moves coins: an owner does, with a key the operator doesn't
hold. The demo and the tests play owners with anvil's well-known development keys.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3
from web3.contract import AsyncContract

from posthuman.errors import UserError
from posthuman.ledger.contracts import abi_of
from posthuman.ledger.rpc import Web3, open_web3, translated
from posthuman.ledger.transact import transact

# Of the mnemonic "test test test test test test test test test test test junk": known to everyone,
# funded on every anvil chain, and worth nothing anywhere else.
DEV_KEYS = tuple(
    bytes.fromhex(digits)
    for digits in (
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
        "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
        "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
        "92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
        "4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
        "dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
        "2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
    )
)
_TOKEN_ABI = abi_of(
    "ERC20Template", "name", "totalSupply", "balanceOf", "isMinter", "addMinter", "mint"
)


class Datatoken(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain says of a datatoken."""

    name: str
    supply_wei: int


def account_of(private_key: bytes) -> LocalAccount:
    """From a Secret's bytes: 32 raw bytes, or 64 hex digits. Raises UserError."""
    try:
        key = private_key if len(private_key) == 32 else bytes.fromhex(_hex_digits(private_key))
        account: LocalAccount = Account.from_key(key)
    except ValueError:
        raise UserError(
            "the signer's key is no secp256k1 key: its Secret must hold 32 bytes or 64 hex digits",
            "SignerKeyInvalid",
        ) from None  # the cause may quote the key
    return account


def _hex_digits(private_key: bytes) -> str:
    return private_key.decode("ascii").strip().removeprefix("0x")


async def mint(rpc_url: str, private_key: bytes, datatoken: str, to: str, wei: int) -> str:
    """An owner mints more of their asset's datatoken, as its minter from now on; the transaction's
    hash. Raises UserError for anyone but the NFT's owner."""
    account = account_of(private_key)
    async with _token(rpc_url, datatoken) as (token, web3):
        with translated(f"reading the minters of {datatoken}"):
            minter = await token.functions.isMinter(account.address).call()
        if not minter:
            join = token.functions.addMinter(account.address)
            await transact(web3, account, join, f"{account.address} becomes a minter")
        call = token.functions.mint(AsyncWeb3.to_checksum_address(to), wei)
        receipt = await transact(web3, account, call, f"minting {wei} wei of {datatoken}")
    return AsyncWeb3.to_hex(receipt["transactionHash"])


async def balance_wei(rpc_url: str, datatoken: str, address: str) -> int:
    """How much of a datatoken an address holds."""
    async with _token(rpc_url, datatoken) as (token, _):
        with translated(f"reading the balance of {address}"):
            holder = AsyncWeb3.to_checksum_address(address)
            return int(await token.functions.balanceOf(holder).call())


async def read_datatoken(rpc_url: str, datatoken: str) -> Datatoken:
    """Its name, and how much of it there is."""
    async with _token(rpc_url, datatoken) as (token, _):
        with translated(f"reading datatoken {datatoken}"):
            name = await token.functions.name().call()
            supply_wei = await token.functions.totalSupply().call()
    return Datatoken(name=name, supply_wei=supply_wei)


@asynccontextmanager
async def _token(rpc_url: str, datatoken: str) -> AsyncIterator[tuple[AsyncContract, Web3]]:
    web3 = open_web3(rpc_url)
    try:
        yield web3.eth.contract(AsyncWeb3.to_checksum_address(datatoken), abi=_TOKEN_ABI), web3
    finally:
        await web3.provider.disconnect()
