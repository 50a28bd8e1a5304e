"""A remote signer stands between a reserved nonce and its bytes: its faults are as harmless as a
crash there, and what it refuses holds up nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from posthuman.api.asset import ModelAsset
from posthuman.api.meta import Key
from posthuman.assets.reconcile import AssetReconciler
from posthuman.chain_ports import Ledger
from posthuman.ledger.ocean import OceanLedger, ledger_with
from posthuman.ledger.remote import RemoteKey
from tests.assets.real import RealWorld, check_real
from tests.assets.world import MOST_PASSES, at_rest, model_asset
from tests.builders import BOB
from tests.services.chain import Chain
from tests.services.remote_signer import Cut, RemoteSigner, remote_signer

pytestmark = pytest.mark.chain
CHAIN_ID = 8996
SIGNATURES = 4  # of one publication
MINT = "0x40c10f19"  # selector of mint(address,uint256)


class RemoteWorld(RealWorld):
    """A real chain, and a signer of its own that keeps its key itself."""

    def __init__(self, chain: Chain, account: LocalAccount, signer: RemoteSigner) -> None:
        self.signer = signer
        self.keys: list[RemoteKey] = []
        super().__init__(chain, account)

    def _open(self) -> Ledger:
        key = RemoteKey(self.signer.url, self.account.address)
        self.keys.append(key)
        ledger: OceanLedger = ledger_with(key, self.real.url, self.real.spec())
        self.opened.append(ledger)
        return ledger

    async def close(self) -> None:
        await super().close()
        for key in self.keys:
            await key.close()


@pytest.fixture
async def opened(chain: Chain) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def new_world(chain: Chain, opened: AsyncExitStack) -> RemoteWorld:
    account = await chain.new_account()
    signer = await opened.enter_async_context(remote_signer(account, CHAIN_ID))
    world = RemoteWorld(chain, account, signer)
    opened.push_async_callback(world.close)
    return world


def cut_at(signer: RemoteSigner, when: str, at: int) -> None:
    """The n-th request fails on its way there, or its answer on its way back."""
    left = [at]

    def cut() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cut

    setattr(signer, when, cut)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, SIGNATURES + 1))
async def test_a_fault_at_any_signature_ends_where_none_would(
    chain: Chain, opened: AsyncExitStack, when: str, at: int
) -> None:
    world = await new_world(chain, opened)
    cut_at(world.signer, when, at)
    key = world.add()
    reasons = await publish_and_listen(world, key)
    assert "SignerUnreachable" in reasons
    await check_real(world, key)
    assert len(world.signer.asked) == SIGNATURES + 1


async def publish_and_listen(world: RemoteWorld, key: Key) -> set[str]:
    """Until it is published; every reason that its condition gave on the way."""
    reasons: set[str] = set()

    def done(asset: ModelAsset) -> bool:
        reasons.update(found.reason for found in asset.status.conditions)
        return at_rest(asset)

    await world.run_until(done, world.operator(), key)
    return reasons


async def together(world: RemoteWorld, operator: AssetReconciler, *keys: Key) -> None:
    """Turn by turn, as the queue has them, until all are published and let go."""
    for _ in range(MOST_PASSES):
        if all(at_rest(world.asset(key)) for key in keys):
            return
        for key in keys:
            await world.one_pass(operator, key)
    raise AssertionError(f"not done: {[world.condition(key) for key in keys]}")


async def test_a_signer_that_is_down_delays_and_nothing_else(
    chain: Chain, opened: AsyncExitStack
) -> None:
    """Two publications hold nonces, one behind the other, when it comes back."""
    world = await new_world(chain, opened)
    world.signer.status = 503
    first, second = world.add(model_asset("first")), world.add(model_asset("second"))
    operator = world.operator()
    for _ in range(4):
        for key in (first, second):
            await world.one_pass(operator, key)
    assert sorted(world.held().values()) == [0, 1]
    assert world.condition(first).reason == "SignerUnreachable"
    world.signer.status = 200
    await together(world, operator, second, first)
    assert not world.book().fillers
    async with chain.ledger(world.account) as ledger:
        assert (await ledger.nonces()).mined == 2 * SIGNATURES


async def test_what_the_signer_refuses_holds_up_nobody_else(
    chain: Chain, opened: AsyncExitStack
) -> None:
    """Its nonce is used up, and no further one while it is refused."""
    world = await new_world(chain, opened)
    world.signer.refuses = is_mint
    refused = world.add(model_asset("refused"))
    other = world.add(model_asset("other", reward={"to": BOB, "amount": "0"}))
    operator = world.operator()
    await world.run_until(is_refused, operator, refused)
    for _ in range(3):
        await world.one_pass(operator, refused)
    await together(world, operator, other)
    for _ in range(12):
        await world.one_pass(operator, refused)
    assert "Rejected by policy" in world.condition(refused).message
    assert await sent(world) == 2 + 1 + 3  # create and metadata, a filler, and the other's three
    world.signer.refuses = lambda call: False
    await together(world, operator, refused)
    assert await sent(world) == 4 + 1 + 3


async def sent(world: RemoteWorld) -> int:
    """Transactions of the signer."""
    async with world.real.ledger(world.account) as ledger:
        return (await ledger.nonces()).pending


def is_refused(asset: ModelAsset) -> bool:
    return "SignerRefused" in {found.reason for found in asset.status.conditions}


def is_mint(call: dict[str, Any]) -> bool:
    return str(call["data"]).startswith(MINT)
