"""Chains under test: one in memory, and a real EVM node with each kind of key."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

import msgspec
from eth_account import Account
from eth_account.signers.local import LocalAccount

from posthuman.chain_ports import ChainReader, Ledger
from posthuman.ledger.keyring import LocalMaterial, RemoteMaterial, open_key
from posthuman.ledger.keys import SigningKey
from posthuman.ledger.ocean import OceanLedger, ledger_with
from posthuman.ledger.reader import OceanReader, open_reader
from tests.fakes.ledger import FakeChain, FakeLedger, FakeReader
from tests.services.chain import Chain
from tests.services.remote_signer import remote_signer


class Ground(Protocol):
    """A chain under test."""

    async def ledger(
        self, purse_wei: int = ..., chain_id: int = ..., confirmations: int = ...
    ) -> Ledger:
        """With a signer of its own."""

    def reader(self) -> ChainReader:
        """Of the same chain."""

    async def hold(self) -> None:
        """From now on blocks come from `mine` alone."""

    async def mine(self) -> None:
        """One block."""


class FakeGround:
    def __init__(self) -> None:
        self._chain = FakeChain()

    async def ledger(
        self, purse_wei: int = 10**20, chain_id: int = 8996, confirmations: int = 1
    ) -> Ledger:
        return FakeLedger(self._chain, str(uuid.uuid4()), purse_wei, chain_id, confirmations)

    def reader(self) -> ChainReader:
        return FakeReader(self._chain)

    async def hold(self) -> None:
        self._chain.automine = False

    async def mine(self) -> None:
        self._chain.mine()


async def bare_key(account: LocalAccount, signers: AsyncExitStack) -> SigningKey:
    """As a Secret holds it."""
    return await open_key(LocalMaterial(account.key.hex().encode()))


async def keystore_file(account: LocalAccount, signers: AsyncExitStack) -> SigningKey:
    """Of one round, so that opening it takes no second."""
    file = Account.encrypt(account.key, "open sesame", kdf="pbkdf2", iterations=1)
    return await open_key(LocalMaterial(json.dumps(file).encode(), b"open sesame\n"))


async def remote_key(account: LocalAccount, signers: AsyncExitStack) -> SigningKey:
    """Of a service that answers as Web3Signer does."""
    signer = await signers.enter_async_context(remote_signer(account, 8996))
    key = await open_key(RemoteMaterial(signer.url.encode(), account.address))
    signers.push_async_callback(key.close)
    return key


KeyOf = Callable[[LocalAccount, AsyncExitStack], Awaitable[SigningKey]]


class RealGround:
    def __init__(self, chain: Chain, key_of: KeyOf) -> None:
        self._chain = chain
        self._key_of = key_of
        self._signers = AsyncExitStack()
        self._opened: list[OceanLedger | OceanReader] = []

    async def ledger(
        self, purse_wei: int = 10**20, chain_id: int = 8996, confirmations: int = 1
    ) -> Ledger:
        account = await self._chain.new_account(purse_wei)
        spec = msgspec.structs.replace(self._chain.spec(confirmations), chain_id=chain_id)
        key = await self._key_of(account, self._signers)
        ledger = ledger_with(key, self._chain.url, spec)
        self._opened.append(ledger)
        return ledger

    def reader(self) -> ChainReader:
        reader = open_reader(self._chain.url, self._chain.spec())
        self._opened.append(reader)
        return reader

    async def hold(self) -> None:
        await self._chain.rpc("evm_setAutomine", False)

    async def mine(self) -> None:
        await self._chain.rpc("evm_mine")

    async def close(self) -> None:
        for ledger in self._opened:
            await ledger.close()
        await self._signers.aclose()
        await self._chain.rpc("evm_setAutomine", True)
