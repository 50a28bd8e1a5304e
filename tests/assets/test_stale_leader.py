"""Two real operator processes: the leader is stopped between its check and its write, the other
takes over and ends the work, the first one wakes up as a stale leader and does nothing twice.

The moments are chosen by a proxy of the node, one a signer, all in one stop: while an answer to
`eth_estimateGas` is on its way, after which the transaction is signed and stored, and while
`eth_sendRawTransaction` is, for each of the four steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from eth_account.signers.local import LocalAccount

from posthuman.assets.observed import CREATE, METADATA, MINT, TRANSFER
from tests.assets.processes import (
    Process,
    assets,
    bring_upload,
    holder_pid,
    prepare,
    upload_asset,
)
from tests.assets.world import REWARD_WEI, at_rest
from tests.builders import BOB
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, real_world
from tests.ledger.lying import HoldingNode, serving
from tests.services.chain import Chain

ESTIMATE, SEND = "eth_estimateGas", "eth_sendRawTransaction"
STEPS = (CREATE, METADATA, MINT, TRANSFER)
STRUCK_SECONDS = 120.0
PUBLISHED_SECONDS = 240.0

pytestmark = [pytest.mark.cluster, pytest.mark.chain]


class Moment(NamedTuple):
    """When the leader is stopped in this signer's publication."""

    step: str
    method: str
    node: HoldingNode
    account: LocalAccount

    @property
    def name(self) -> str:
        return f"{self.step}-{'signs' if self.method == ESTIMATE else 'sends'}"


@asynccontextmanager
async def moments(chain: Chain) -> AsyncIterator[list[Moment]]:
    async with AsyncExitStack() as stack:
        made = []
        for count, step in enumerate(STEPS, 1):
            for method in (ESTIMATE, SEND):
                node = HoldingNode(chain.url, method, count, after=method == ESTIMATE)
                await stack.enter_async_context(serving(node))
                made.append(Moment(step, method, node, await chain.new_account()))
        yield made


async def until_at_rest(world: RealWorld, count: int) -> None:
    """So many are published, and let go (another process sets no Event)."""
    async with asyncio.timeout(PUBLISHED_SECONDS):
        while sum(at_rest(asset) for asset in await assets(world)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def check(chain: Chain, moment: Moment) -> None:
    """Two publications, and nothing beside them but the filler of a nonce that the stale leader may
    have reserved before its write was refused."""
    async with chain.ledger(moment.account) as ledger:
        created = await ledger.creations()
        assert len({found.publication.publication_id for found in created}) == len(created) == 2
        for creation in created:
            found = await ledger.find(creation.publication.publication_id)
            assert found
            assert await ledger.minted_wei(found.datatoken, BOB, found.block) == REWARD_WEI
            assert await ledger.nft_owner(found.nft) == BOB
            assert await ledger.has_metadata(found.nft)
        fillers = (await ledger.nonces()).mined - 8
        assert fillers in ((0, 1) if moment.method == ESTIMATE else (0,)), moment.name


@pytest.mark.timeout(580)
async def test_a_leader_stopped_between_check_and_write_wakes_up_stale(
    cluster_facts: Mapping[str, str], own_chain: Chain, tmp_path: Path
) -> None:
    kubeconfig = apply_crds(cluster_facts)
    bring_upload(tmp_path / "store")
    async with moments(own_chain) as chosen, AsyncExitStack() as stack:
        world = await stack.enter_async_context(real_world(kubeconfig))
        first, second = (Process(number, world, kubeconfig, tmp_path) for number in range(2))
        for process in (first, second):
            stack.callback(process.close)
            await process.at_work()
        second.stop()
        for moment in chosen:
            proxied = msgspec.structs.replace(own_chain, url=moment.node.url)
            key = bytes(moment.account.key)
            await prepare(world, proxied, key, tmp_path / "store", moment.name)
            await world.create(upload_asset(world, moment.name, moment.name))
        async with asyncio.timeout(STRUCK_SECONDS):
            await asyncio.gather(*(moment.node.struck.wait() for moment in chosen))
        assert {await holder_pid(world, found.account.address) for found in chosen} == {first.pid}

        first.stop()
        for moment in chosen:
            if moment.method == ESTIMATE:  # the answer arrives; nobody is there to read it
                moment.node.go_on.set()
        second.go_on()
        await until_at_rest(world, len(chosen))
        assert {await holder_pid(world, found.account.address) for found in chosen} == {second.pid}

        for moment in chosen:  # what was on its way to the node comes late
            moment.node.go_on.set()
        first.go_on()
        await first.at_work()
        for moment in chosen:  # and whatever nonce the first one left behind holds up nobody
            await world.create(upload_asset(world, f"{moment.name}-then", moment.name))
        await until_at_rest(world, 2 * len(chosen))
        for moment in chosen:
            await check(own_chain, moment)
