"""A real EVM node (anvil) with all of Ocean's contracts, as a session fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from posthuman.api.environment import ChainContracts, ChainSpec
from posthuman.api.meta import SecretKeyRef
from posthuman.chain import Receipt
from posthuman.chain_ports import Ledger
from posthuman.ledger.deploy import deploy
from posthuman.ledger.node import CHAIN_ID, local_node
from posthuman.ledger.ocean import OceanLedger, open_ledger

PURSE_WEI = 100 * 10**18
MINING_SECONDS = 10.0


class Chain(msgspec.Struct, frozen=True):
    """A running node with Ocean's contracts."""

    url: str
    contracts: ChainContracts

    def spec(self, confirmations: int = 1) -> ChainSpec:
        """As an environment names it."""
        return ChainSpec(
            chain_id=CHAIN_ID,
            rpc_url_secret=SecretKeyRef(name="chain", key="url"),
            signer_secret=SecretKeyRef(name="chain", key="signer"),
            contracts=self.contracts,
            confirmations=confirmations,
        )

    async def rpc(self, method: str, *parameters: Any) -> Any:
        """Ask the node itself, for what no port offers: `evm_mine`, `anvil_setBalance`, …"""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        async with aiohttp.ClientSession() as session, session.post(self.url, json=body) as answer:
            content = await answer.json()
        if "error" in content:
            raise AssertionError(f"{method}: {content['error']}")
        return content["result"]

    async def new_account(self, purse_wei: int = PURSE_WEI) -> LocalAccount:
        """An account that no other test uses."""
        account: LocalAccount = Account.create()
        await self.rpc("anvil_setBalance", account.address, hex(purse_wei))
        return account

    @asynccontextmanager
    async def ledger(self, account: LocalAccount | None = None) -> AsyncIterator[OceanLedger]:
        """The adapter for an account, a new one by default."""
        signer = account or await self.new_account()
        ledger = open_ledger(self.url, bytes(signer.key), self.spec())
        try:
            yield ledger
        finally:
            await ledger.close()


async def mined(ledger: Ledger, transaction_hash: str) -> Receipt:
    """The receipt: a node mines beside answering us, so it comes a little after the answer."""
    async with asyncio.timeout(MINING_SECONDS):
        while True:
            receipt = await ledger.receipt(transaction_hash)
            if receipt:
                return receipt
            await asyncio.sleep(0.01)


@contextmanager
def running_chain() -> Iterator[Chain]:
    """A chain of one's own, for tests that hold back its blocks (about 0.6 s)."""
    with local_node() as node, ThreadPoolExecutor(1) as thread:  # a test's loop may be running
        yield Chain(node.url, thread.submit(asyncio.run, deploy(node.url)).result())


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """Shared: a block for each transaction, at once. Use accounts of your own."""
    with running_chain() as running:
        yield running


@pytest.fixture
def own_chain() -> Iterator[Chain]:
    """A chain whose blocks the test may hold back."""
    with running_chain() as running:
        yield running
