"""An environment says whether its key can sign: a bare one, a keystore file, a remote signer's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.conditions import find_condition
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Condition, Key
from posthuman.bootstrap import REREAD_SECONDS, build
from posthuman.local.objects import Objects
from tests.builders import CHAIN, SETTINGS, HeldClock, environment
from tests.fakes.cluster import FakeCluster
from tests.ledger.test_keys import PASSWORD, keystore
from tests.services.chain import Chain
from tests.services.remote_signer import RemoteSigner, remote_signer

pytestmark = pytest.mark.chain
SIGNER = {"name": "signer", "key": "key"}
PASSWORD_SECRET = {"name": "signer", "key": "password"}
KEY = Key("", "a100")


class World:
    """An environment whose chain is a real one; its store is nowhere."""

    def __init__(self, chain: Chain, **signer: Any) -> None:
        self.clock = HeldClock()
        self.objects = Objects(now=self.clock.now)
        self.closing: list[Callable[[], Awaitable[None]]] = []
        built = build(FakeCluster(self.objects), self.clock, SETTINGS, at_end=self.closing.append)
        self.reconciler = built["ComputeEnvironment"]
        spec = {name: value for name, value in CHAIN.items() if name != "signerSecret"}
        contracts = msgspec.to_builtins(chain.contracts)
        made = environment(ready=False, chain={**spec, **signer, "contracts": contracts})
        self.objects.create(made)
        self.objects.set_finalizer(ComputeEnvironment, KEY, True)
        self.put("chain", url=chain.url.encode())

    async def close(self) -> None:
        """All connections."""
        for close in self.closing:
            await close()

    def put(self, name: str, **content: bytes) -> None:
        """A Secret of the work namespace."""
        self.objects.put_secret(Key("work", name), content)

    async def condition(self, kind: str) -> Condition:
        """After a pass that looks anew."""
        self.clock.forward(REREAD_SECONDS)
        await self.reconciler.reconcile(KEY)
        found = find_condition(self.status.conditions, kind)
        assert found
        return found

    @property
    def status(self) -> Any:
        found = self.objects.find(ComputeEnvironment, KEY)
        assert found
        return found.status


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def new_world(stack: AsyncExitStack, chain: Chain, **signer: Any) -> World:
    world = World(chain, **signer)
    stack.push_async_callback(world.close)
    return world


async def remote(stack: AsyncExitStack, account: LocalAccount) -> RemoteSigner:
    return await stack.enter_async_context(remote_signer(account, 8996))


async def test_a_bare_key(stack: AsyncExitStack, chain: Chain) -> None:
    account = await chain.new_account()
    world = await new_world(stack, chain, signerSecret=SIGNER)
    world.put("signer", key=account.key.hex().encode())
    assert (await world.condition("SignerFunded")).reason == "Funded"
    assert world.status.signer == account.address


async def test_a_keystore_file_and_a_password_that_is_corrected(
    stack: AsyncExitStack, chain: Chain
) -> None:
    account = await chain.new_account()
    names = {"signerSecret": SIGNER, "signerPasswordSecret": PASSWORD_SECRET}
    world = await new_world(stack, chain, **names)
    world.put("signer", key=keystore(account), password=b"wrong")
    found = await world.condition("ChainReachable")
    assert (found.status, found.reason) == ("False", "SignerPasswordWrong")
    world.put("signer", key=keystore(account), password=PASSWORD.encode())
    assert (await world.condition("SignerFunded")).reason == "Funded"
    assert world.status.signer == account.address


async def test_a_remote_signer_that_goes_and_comes_back(
    stack: AsyncExitStack, chain: Chain
) -> None:
    account = await chain.new_account()
    signer = await remote(stack, account)
    place = {"urlSecret": {"name": "web3signer"}, "address": account.address.lower()}
    world = await new_world(stack, chain, remoteSigner=place)
    world.put("web3signer", url=f"{signer.url}\n".encode())
    assert (await world.condition("SignerFunded")).reason == "Funded"
    assert world.status.signer == account.address
    signer.status = 503
    found = await world.condition("SignerFunded")
    assert (found.status, found.reason) == ("False", "SignerUnreachable")
    assert (await world.condition("ChainReachable")).status == "True"
    signer.status = 200
    assert (await world.condition("SignerFunded")).reason == "Funded"


async def test_a_remote_signer_without_the_account(stack: AsyncExitStack, chain: Chain) -> None:
    account, stranger = await chain.new_account(), await chain.new_account()
    signer = await remote(stack, stranger)
    place = {"urlSecret": {"name": "web3signer"}, "address": account.address}
    world = await new_world(stack, chain, remoteSigner=place)
    world.put("web3signer", url=signer.url.encode())
    found = await world.condition("SignerFunded")
    assert (found.status, found.reason) == ("False", "SignerMissing")
    assert account.address in found.message
