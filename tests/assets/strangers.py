"""People on a real chain: owners who do as they please with what is theirs, and buyers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import AsyncWeb3
from web3.contract import AsyncContract

from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.ledger.contracts import artifact
from posthuman.ledger.rpc import Web3, open_web3
from posthuman.ledger.transact import Call, transact
from tests.services.chain import Chain

ALICE_KEY, BOB_KEY = DEV_KEYS[2], DEV_KEYS[1]  # of the addresses in tests/builders.py
REVOKED = 3


class Person:
    """Somebody with coins, who does things on chain."""

    def __init__(self, web3: Web3, account: LocalAccount) -> None:
        self.web3 = web3
        self.account = account
        self.address = account.address

    async def do(self, call: Call) -> None:
        """Sign, send and wait. Raises UserError for what the contracts refuse."""
        await transact(self.web3, self.account, call, "what a stranger does")

    def contract(self, name: str, address: str) -> AsyncContract:
        """With all that it can do."""
        checked = AsyncWeb3.to_checksum_address(address)
        return self.web3.eth.contract(checked, abi=artifact(name).abi)

    def nft(self, address: str) -> AsyncContract:
        """An Ocean NFT."""
        return self.contract("ERC721Template", address)

    def token(self, address: str) -> AsyncContract:
        """A datatoken, or any ERC-20 token."""
        return self.contract("ERC20Template", address)

    async def set_ddo(self, nft: str, ddo: bytes | Mapping[str, Any], state: int = 0) -> None:
        """As a market does when an owner edits an asset."""
        raw = ddo if isinstance(ddo, bytes) else json.dumps(ddo).encode()
        digest = hashlib.sha256(raw).digest()
        await self.do(self.nft(nft).functions.setMetaData(state, "", "", b"\0", raw, digest, []))


@asynccontextmanager
async def person(chain: Chain, key: bytes | None = None) -> AsyncIterator[Person]:
    """Of a known key, else somebody new with coins."""
    web3 = open_web3(chain.url)
    try:
        yield Person(web3, account_of(key) if key else await chain.new_account())
    finally:
        await web3.provider.disconnect()


async def give_ocean(chain: Chain, to: str, wei: int) -> None:
    """By whoever deployed the contracts, who has all of it."""
    async with person(chain, DEV_KEYS[0]) as deployer:
        token = deployer.contract("OceanToken", chain.contracts.ocean_token)
        await deployer.do(token.functions.mint(to, wei))
