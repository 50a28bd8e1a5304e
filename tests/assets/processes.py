"""Real operator processes on the real API server, environments for them, and what they publish."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from jobkit.manifest import encode_manifest
from posthuman.api.asset import ModelAsset
from posthuman.assets.observe import lease_name
from posthuman.errors import NotFound
from posthuman.kube.resources import LEASES
from posthuman.ledger.node import CHAIN_ID
from tests.assets.world import MANIFEST, model_asset
from tests.builders import BOB, CHAIN, environment
from tests.kube.worlds import RealWorld, in_world
from tests.services.chain import Chain

PORT = 18_190  # of the first process's probes
REPOSITORY = Path(__file__).resolve().parents[2]
UPLOAD = f"uploads/{BOB.lower()}/gpt2"
STARTING_SECONDS = 300.0  # on a machine that does much else


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
        self.log = logs / f"operator-{number}.log"
        self._output = self.log.open("ab")
        self._running = self._start()
        self.stands_still = False

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(REPOSITORY / "operator"), str(REPOSITORY)])
        return subprocess.Popen(
            self._command,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, "PYTHONPATH": path},
        )

    @property
    def pid(self) -> int:
        """Of the one that runs now."""
        return self._running.pid

    async def at_work(self) -> None:
        """It has read its lists and watches: /readyz says so."""
        async with asyncio.timeout(STARTING_SECONDS), aiohttp.ClientSession() as session:
            while not await self._ready(session):  # noqa: ASYNC110 (another process sets no Event)
                await asyncio.sleep(0.1)

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
        self.stands_still = True
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """The one that runs now, should the stopped one have been killed."""
        self.stands_still = False
        self._running.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """SIGKILL ends a stopped process too."""
        self.stands_still = False
        self._running.kill()
        self._running.wait()

    def close(self) -> None:
        self.end()
        self._output.close()


async def holder_pid(world: RealWorld, signer: str) -> int:
    """Which process holds a signer's Lease; 0: none does."""
    try:
        body = await world.client.get(LEASES, world.work, lease_name(CHAIN_ID, signer))
    except NotFound:
        return 0
    return int((body["spec"].get("holderIdentity") or "--0-").split("-")[-2])


def bring_upload(store: Path) -> None:
    """Bob's model, in a store that is a folder which the operators see."""
    folder = store / UPLOAD
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(encode_manifest(MANIFEST))


async def prepare(
    world: RealWorld, chain: Chain, key: bytes, store: Path, name: str = "a100"
) -> None:
    """An environment with a signer of its own. `chain` names the node, or a proxy of it."""
    secret = f"chain-{name}"
    await world.put_secret(secret, {"url": chain.url.encode(), "signer": key.hex().encode()})
    spec = {
        **CHAIN,
        "rpcUrlSecret": {"name": secret, "key": "url"},
        "signerSecret": {"name": secret, "key": "signer"},
        "contracts": msgspec.to_builtins(chain.contracts),
    }
    made = environment(name, chain=spec, workNamespace=world.work, store={"url": f"file://{store}"})
    await world.create(in_world(world, made))


def upload_asset(world: RealWorld, name: str, environment_name: str = "a100") -> ModelAsset:
    """What Bob applies to publish his upload, with 200 datatokens for him."""
    source = {"prefix": UPLOAD, "manifestDigest": model_asset().spec.source.manifest_digest}
    asset = in_world(world, model_asset(name, source=source, jobUid="", parents=[]), name)
    suffix = world.work.removeprefix("work-")
    reference: Any = msgspec.structs.replace(
        asset.spec.environment_ref, name=f"{environment_name}-{suffix}"
    )
    spec = msgspec.structs.replace(asset.spec, environment_ref=reference)
    moved: ModelAsset = msgspec.structs.replace(asset, spec=spec)
    return moved


async def assets(world: RealWorld) -> list[ModelAsset]:
    """As the API server holds them."""
    await world.settle()
    return [a for a in world.cache.assets.all() if a.metadata.namespace == world.tenant]
