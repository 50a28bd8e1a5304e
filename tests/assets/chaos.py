"""Chaos: real operator processes on the real API server and a real chain, killed at random moments.

`python -m tests.assets.chaos --publications 200 --kills 50` (`make chaos-ledger`) prints what was
done and found. Two processes are there at any time. While assets are submitted, the one that leads
(mostly) gets a SIGKILL and is started anew, or a SIGSTOP, and a SIGCONT after up to twice the
Lease's duration: it then wakes up as a stale leader in the middle of whatever it was doing.
Meanwhile people delete assets, some by force, and restore others from a backup without status.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.meta import Key
from posthuman.errors import NotFound
from posthuman.kube.leases import DURATION_SECONDS
from posthuman.kube.resources import OWN
from posthuman.ledger.ocean import OceanLedger
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
from tests.cluster import facts
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, real_world
from tests.services.chain import Chain, running_chain

ASSETS = OWN["ModelAsset"]
QUIET_SECONDS = 300.0  # to end the work in, once nobody is killed any more
LEADER_SECONDS = 3 * DURATION_SECONDS  # until somebody leads again
RESTORED_AFTER = 5  # of the published ones, so many lose their status and UID at the end


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what the chain says."""

    publications: int
    kills: int
    kills_of_the_leader: int
    stops: int
    restored: int  # without status, under a new UID
    deleted: int  # assets beside the publications, deleted in the middle, half of them by force
    takeover_seconds: tuple[float, ...]  # from the leader's death to the other's Lease
    doubles: int  # publications with two NFTs, or another amount than the reward
    lost: int  # said to be published, and not so on chain
    stuck: tuple[str, ...]  # not published, and why
    transactions: int  # of the signer: four a publication, what was deleted, and the fillers


class Chaos:
    """The world, the processes and the dice."""

    def __init__(
        self, world: RealWorld, processes: list[Process], signer: str, dice: random.Random
    ) -> None:
        self.world = world
        self.processes = processes
        self.signer = signer
        self.dice = dice
        self.kills = 0
        self.kills_of_the_leader = 0
        self.stops = 0
        self.restored = 0
        self.deleted = 0
        self._submitted: list[str] = []
        self._meanwhile: set[asyncio.Task[None]] = set()

    async def rage(self, publications: int, kills: int) -> None:
        """Three in four times kill one, else let it stand still for a while; each time in the
        middle of publications."""
        while self.kills < kills:
            left = publications - len(self._submitted)
            await self._submit(min(left, 1 + publications // (kills * 5 // 4)))
            await self._trouble_people()
            victim = await self._victim()
            await asyncio.sleep(self.dice.uniform(0.0, 2.0))
            await self._strike(victim)
        await self._submit(publications - len(self._submitted))
        await asyncio.gather(*self._meanwhile)

    async def _submit(self, count: int) -> None:
        for _ in range(count):
            name = f"model-{len(self._submitted)}"
            self._submitted.append(name)
            await self.world.create(upload_asset(self.world, name))

    async def _trouble_people(self) -> None:
        """Somebody restores an asset, or deletes another one soon."""
        if self.dice.random() < 1 / 2:
            await self.restore(self.dice.choice(self._submitted))
        if self.dice.random() < 1 / 3:
            self.deleted += 1
            name = f"goner-{self.deleted}"
            await self.world.create(upload_asset(self.world, name))
            self._beside(self._delete_soon(name, self.dice.uniform(0.0, 1.5)))

    async def restore(self, name: str) -> None:
        """From a backup that holds specs alone; whatever was in flight."""
        self.restored += 1
        await self._remove_by_force(name)
        await self.world.create(upload_asset(self.world, name))

    async def _remove_by_force(self, name: str) -> None:
        nothing = {"metadata": {"finalizers": None}}
        while True:
            await self.world.client.delete(ASSETS, self.world.tenant, name)
            try:
                await self.world.client.patch(ASSETS, self.world.tenant, name, nothing)
            except NotFound:
                return

    async def _delete_soon(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.deleted % 2:
            await self.world.client.delete(ASSETS, self.world.tenant, name)
        else:
            await self._remove_by_force(name)

    async def _victim(self) -> Process:
        """Often the leader, though one has to be waited for; never one that is only just starting:
        it would interrupt nothing."""
        patient = self.dice.random() < 2 / 5
        standing = [process for process in self.processes if process.stands_still]
        leading = await self._leading(LEADER_SECONDS if patient and not standing else 0.0)
        victim = leading or self.dice.choice(standing or self.processes)
        if not victim.stands_still:
            await victim.at_work()
        return victim

    async def _leading(self, seconds: float) -> Process | None:
        """The process that holds the Lease and runs; somebody does within so many seconds."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while True:
            leader = await holder_pid(self.world, self.signer)
            for process in self.processes:
                if process.pid == leader and not process.stands_still:
                    return process
            if clock() > deadline:
                return None
            await asyncio.sleep(0.2)

    async def _strike(self, victim: Process) -> None:
        if self.dice.random() < 1 / 4 and not any(found.stands_still for found in self.processes):
            self.stops += 1
            seconds = self.dice.uniform(0.5, 2 * DURATION_SECONDS)
            self._beside(stand_still(victim, seconds))
            return
        self.kills += 1
        if victim.pid == await holder_pid(self.world, self.signer):
            self.kills_of_the_leader += 1
        victim.kill()

    def _beside(self, doing: Any) -> None:
        self._meanwhile.add(asyncio.create_task(doing))

    async def takeovers(self, count: int) -> list[float]:
        """Seconds from each death of a leader until the other one holds the Lease."""
        return [await self._takeover(number) for number in range(count)]

    async def _takeover(self, number: int) -> float:
        for process in self.processes:
            await process.at_work()
        await self.world.create(upload_asset(self.world, f"before-{number}"))
        await self.settled()
        leader = await holder_pid(self.world, self.signer)
        victim = next(process for process in self.processes if process.pid == leader)
        clock = asyncio.get_running_loop().time
        victim.end()
        began = clock()
        await self.world.create(upload_asset(self.world, f"after-{number}"))
        while await holder_pid(self.world, self.signer) == leader:  # noqa: ASYNC110 (no Event)
            await asyncio.sleep(0.05)
        seconds = clock() - began
        victim.kill()
        return round(seconds, 1)

    async def settled(self) -> None:
        """All are published and none is going, or the time is over."""
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if all(at_rest(asset) for asset in await assets(self.world)):
                return
            await asyncio.sleep(0.5)


async def stand_still(victim: Process, seconds: float) -> None:
    """SIGSTOP, and SIGCONT."""
    victim.stop()
    await asyncio.sleep(seconds)
    victim.go_on()


async def run(
    chain: Chain, publications: int, kills: int, seed: int, logs: Path, takeovers: int = 0
) -> Outcome:
    """Publish, rage, wait for quiet, restore, look at the chain."""
    kubeconfig = apply_crds(facts.read())
    account = await chain.new_account()
    bring_upload(logs / "store")
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(real_world(kubeconfig))
        await prepare(world, chain, bytes(account.key), logs / "store")
        processes = [Process(number, world, kubeconfig, logs) for number in range(2)]
        for process in processes:
            stack.callback(process.close)
        chaos = Chaos(world, processes, account.address, random.Random(seed))
        taken = await chaos.takeovers(takeovers)
        await chaos.rage(publications, kills)
        await chaos.settled()
        for number in range(min(RESTORED_AFTER, publications)):
            await chaos.restore(f"model-{number}")
        await chaos.settled()
        ledger = await stack.enter_async_context(chain.ledger(account))
        return await verdict(chaos, taken, await assets(world), ledger)


async def verdict(
    chaos: Chaos, taken: list[float], found: list[ModelAsset], ledger: OceanLedger
) -> Outcome:
    """What the chain says of each publication, whatever its status does."""
    created = Counter(nft.publication.publication_id for nft in await ledger.creations())
    doubles = {name for name, count in created.items() if count > 1}
    lost: set[Key] = set()
    for asset in found:
        nft = await ledger.find(asset.status.publication_id)
        if nft is None:
            lost |= {asset.metadata.key} if asset.status.published_at else set()
            continue
        minted = await ledger.minted_wei(nft.datatoken, BOB, nft.block)
        whole = minted == REWARD_WEI and await ledger.nft_owner(nft.nft) == BOB
        if minted > REWARD_WEI:
            doubles.add(asset.status.publication_id)
        if asset.status.published_at and not (whole and await ledger.has_metadata(nft.nft)):
            lost.add(asset.metadata.key)
    return Outcome(
        publications=sum(asset.metadata.name.startswith("model-") for asset in found),
        kills=chaos.kills,
        kills_of_the_leader=chaos.kills_of_the_leader,
        stops=chaos.stops,
        restored=chaos.restored,
        deleted=chaos.deleted,
        takeover_seconds=tuple(taken),
        doubles=len(doubles),
        lost=len(lost),
        stuck=tuple(_why(asset) for asset in found if not at_rest(asset)),
        transactions=(await ledger.nonces()).mined,
    )


def _why(asset: ModelAsset) -> str:
    found = find_condition(asset.status.conditions, "Published")
    published = is_true(asset.status.conditions, "Published")
    reason = "published, not let go" if published else found.reason if found else "no condition"
    return f"{asset.metadata.name}: {reason}"


def tell(outcome: Outcome) -> None:
    """A line a figure."""
    said: dict[str, Any] = msgspec.to_builtins(outcome)
    for name, value in said.items():
        print(f"{name:<20}{value}")


def main() -> int:
    """Exit code 0 if nothing was published twice, lost or stuck."""
    parser = argparse.ArgumentParser(description="Kill operators in the middle of publications.")
    parser.add_argument("--publications", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--takeovers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with running_chain() as chain, TemporaryDirectory(prefix="chaos-") as folder:
        wanted = (options.publications, options.kills, options.seed)
        outcome = asyncio.run(run(chain, *wanted, Path(folder), options.takeovers))
    tell(outcome)
    return 1 if outcome.doubles or outcome.lost or outcome.stuck else 0


if __name__ == "__main__":
    sys.exit(main())
