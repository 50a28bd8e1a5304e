"""Chaos: real operator processes on the real API server and a real chain, killed at random moments.

`python -m tests.assets.chaos --publications 200 --kills 50` (`make chaos-ledger`) prints what was
done and found. Two processes are there at any time. One of them, at random, gets a SIGKILL and is
started anew, or a SIGSTOP, and a SIGCONT after up to twice the Lease's duration: it then wakes up
as a stale leader in the middle of whatever it was doing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from jobkit.manifest import encode_manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import find_condition, is_true
from posthuman.api.meta import Key
from posthuman.kube.leases import DURATION_SECONDS
from posthuman.ledger.ocean import OceanLedger
from posthuman.ports import NonceBook
from tests.assets.world import MANIFEST, REWARD_WEI, model_asset
from tests.builders import BOB, CHAIN, environment
from tests.cluster import facts
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, in_world, real_world
from tests.services.chain import Chain, running_chain

PORT = 18_190  # of the first process's probes
REPOSITORY = Path(__file__).resolve().parents[2]
UPLOAD = f"uploads/{BOB.lower()}/gpt2"
QUIET_SECONDS = 300.0  # to end the work in, once nobody is killed any more
STARTING_SECONDS = 300.0  # on a machine that does much else


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what the chain says."""

    publications: int
    kills: int
    stops: int
    doubles: int  # publications with two NFTs, or another amount than the reward
    lost: int  # said to be published, and not so on chain
    stuck: tuple[str, ...]  # not published, and why
    transactions: int  # of the signer: four a publication, and the fillers
    reserved: int  # nonces that are still reserved


class Process:
    """One operator process, started anew whenever it is killed."""

    def __init__(self, number: int, world: RealWorld, kubeconfig: Path, logs: Path) -> None:
        self._port = PORT + number
        self._command = [
            *(sys.executable, "-m", "posthuman.cli", "operator"),
            *("--namespace", world.work, "--port", str(self._port)),
            *("--jobkit-image", "jobkit", "--algorithms-image", "algorithms"),
            *("--algorithms", str(REPOSITORY / "algorithms"), "--kubeconfig", str(kubeconfig)),
        ]
        self._log = (logs / f"operator-{number}.log").open("ab")
        self._running = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(REPOSITORY / "operator"), str(REPOSITORY)])
        return subprocess.Popen(
            self._command,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": path},
        )

    async def at_work(self) -> None:
        """It has read its lists and watches: /readyz says so."""
        async with asyncio.timeout(STARTING_SECONDS), aiohttp.ClientSession() as session:
            while not await self._ready(session):  # noqa: ASYNC110 (another process sets no Event)
                await asyncio.sleep(0.2)

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{self._port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def kill(self) -> None:
        """SIGKILL, and another start."""
        self.end()
        self._running = self._start()

    def stop(self) -> None:
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """SIGKILL ends a stopped process too."""
        self._running.kill()
        self._running.wait()

    def close(self) -> None:
        self.end()
        self._log.close()


class Chaos:
    """The world, the processes and the dice."""

    def __init__(self, world: RealWorld, processes: list[Process], dice: random.Random) -> None:
        self.world = world
        self.processes = processes
        self.dice = dice
        self.kills = 0
        self.stops = 0

    async def rage(self, kills: int) -> None:
        """Two in three times kill one, else let it stand still for a while; never one that is only
        just starting: it would interrupt nothing."""
        while self.kills < kills:
            victim = self.dice.choice(self.processes)
            await victim.at_work()
            if self.dice.random() < 1 / 3:
                await self._stand_still(victim)
            else:
                victim.kill()
                self.kills += 1
            await asyncio.sleep(self.dice.uniform(0.5, 6.0))

    async def _stand_still(self, victim: Process) -> None:
        victim.stop()
        self.stops += 1
        await asyncio.sleep(self.dice.uniform(0.5, 2 * DURATION_SECONDS))
        victim.go_on()

    async def assets(self) -> list[ModelAsset]:
        """As the API server holds them."""
        await self.world.settle()
        found = self.world.cache.assets.all()
        return [asset for asset in found if asset.metadata.namespace == self.world.tenant]

    async def settled(self) -> None:
        """All are published, or the time is over."""
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if all(is_true(asset.status.conditions, "Published") for asset in await self.assets()):
                return
            await asyncio.sleep(1)


async def run(chain: Chain, publications: int, kills: int, seed: int, logs: Path) -> Outcome:
    """Publish, rage, wait for quiet, look at the chain."""
    kubeconfig = apply_crds(facts.read())
    account = await chain.new_account()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(real_world(kubeconfig))
        await prepare(world, chain, bytes(account.key), logs / "store")
        processes = [Process(number, world, kubeconfig, logs) for number in range(2)]
        for process in processes:
            stack.callback(process.close)
        chaos = Chaos(world, processes, random.Random(seed))
        submitting = asyncio.create_task(submit(world, publications))
        await chaos.rage(kills)
        await submitting
        await chaos.settled()
        ledger = await stack.enter_async_context(chain.ledger(account))
        book = await world.cluster.nonce_book(ledger.chain_id, ledger.signer)
        return await verdict(chaos, await chaos.assets(), ledger, book)


async def prepare(world: RealWorld, chain: Chain, key: bytes, store: Path) -> None:
    """An environment with a store in a folder, which the operators see, and Bob's upload in it."""
    folder = store / UPLOAD
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(encode_manifest(MANIFEST))
    await world.put_secret("chain", {"url": chain.url.encode(), "signer": key.hex().encode()})
    spec = {**CHAIN, "contracts": msgspec.to_builtins(chain.contracts)}
    made = environment(chain=spec, workNamespace=world.work, store={"url": f"file://{store}"})
    await world.create(in_world(world, made))


async def submit(world: RealWorld, publications: int) -> None:
    """All through the rage, a few at a time."""
    source = {"prefix": UPLOAD, "manifestDigest": model_asset().spec.source.manifest_digest}
    for number in range(publications):
        asset = model_asset(f"model-{number}", source=source, jobUid="", parents=[])
        await world.create(in_world(world, asset, f"model-{number}"))
        await asyncio.sleep(0.1)


async def verdict(
    chaos: Chaos, assets: list[ModelAsset], ledger: OceanLedger, book: NonceBook
) -> Outcome:
    """What the chain says of each publication, whatever its status does."""
    created = Counter(found.publication.publication_id for found in await ledger.creations())
    doubles = {name for name, count in created.items() if count > 1}
    lost: set[Key] = set()
    for asset in assets:
        found = await ledger.find(asset.status.publication_id)
        if found is None:
            lost |= {asset.metadata.key} if asset.status.published_at else set()
            continue
        minted = await ledger.minted_wei(found.datatoken, BOB, found.block)
        whole = minted == REWARD_WEI and await ledger.nft_owner(found.nft) == BOB
        if minted > REWARD_WEI:
            doubles.add(asset.status.publication_id)
        if asset.status.published_at and not (whole and await ledger.has_metadata(found.nft)):
            lost.add(asset.metadata.key)
    return Outcome(
        publications=len(assets),
        kills=chaos.kills,
        stops=chaos.stops,
        doubles=len(doubles),
        lost=len(lost),
        stuck=tuple(_why(asset) for asset in assets if not asset.status.published_at),
        transactions=(await ledger.nonces()).mined,
        reserved=len(book.reserved),
    )


def _why(asset: ModelAsset) -> str:
    found = find_condition(asset.status.conditions, "Published")
    return f"{asset.metadata.name}: {found.reason if found else 'no condition'}"


def tell(outcome: Outcome) -> None:
    """A line a figure."""
    said: dict[str, Any] = msgspec.to_builtins(outcome)
    for name, value in said.items():
        print(f"{name:<14}{value}")


def main() -> int:
    """Exit code 0 if nothing was published twice, lost or stuck."""
    parser = argparse.ArgumentParser(description="Kill operators in the middle of publications.")
    parser.add_argument("--publications", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with running_chain() as chain, TemporaryDirectory(prefix="chaos-") as folder:
        outcome = asyncio.run(
            run(chain, options.publications, options.kills, options.seed, Path(folder))
        )
    tell(outcome)
    return 1 if outcome.doubles or outcome.lost or outcome.stuck else 0


if __name__ == "__main__":
    sys.exit(main())
