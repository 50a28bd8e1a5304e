"""`python -m examples.purchase`: publish, order, compute through the gateway, results, new asset.

Everything is real but the provider, whose part is played (provider.py), and the seal: this machine
has no cluster. The keys are anvil's well-known ones, worth nothing anywhere else.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
from pathlib import Path
from typing import Any

import aiohttp

from examples.purchase.lab import (
    ALICE_KEY,
    BASE_MODEL,
    BOB_KEY,
    ENVIRONMENT,
    PROVIDER_KEY,
    address_of,
    gateway_in_front,
    make_environment,
    offer,
)
from examples.purchase.provider import Provider
from examples.purchase.workflow import training
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.meta import Key
from posthuman.cli.logfile import log_to
from posthuman.cli.story.prepare import Data, prepare
from posthuman.cli.story.script import TINY, Upload
from posthuman.cli.upload import Kind, Target, send
from posthuman.ledger.buying import start_order
from posthuman.local.chain import EmbeddedChain, embedded_chain
from posthuman.local.lock import locked
from posthuman.local.objects import Objects
from posthuman.local.session import Place, algorithms_folder, turning

LEFTOVERS = ("store", "chain", "jobs", "assets", "data", "results")
POLL_SECONDS = 0.5
FINISHED = 60  # clients poll for more than this
SUCCEEDED = 70
STEPS = 20


def main() -> None:
    """Leaves Bob's results in WORKDIR/results."""
    parser = argparse.ArgumentParser(prog="python -m examples.purchase", description=__doc__)
    parser.add_argument("--workdir", type=Path, default=Path(".purchase"))
    workdir = parser.parse_args().workdir.absolute()
    with locked(workdir), log_to(workdir / "posthuman.log"):
        buy(workdir)


def buy(workdir: Path) -> dict[str, Any]:
    """The job's last status, with the new asset's DID. The working folder starts clean."""
    for name in LEFTOVERS:
        shutil.rmtree(workdir / name, ignore_errors=True)
    (workdir / "data").mkdir(parents=True)
    data = asyncio.run(prepare(TINY, workdir / "data"))
    with embedded_chain(workdir / "chain") as chain:
        return asyncio.run(_told(workdir, chain, data))


async def _told(workdir: Path, chain: EmbeddedChain, data: Data) -> dict[str, Any]:
    objects = Objects()
    environment = make_environment(objects, workdir, chain)
    model = await _upload(environment, ALICE_KEY, data.model, "base-model", "model")
    text = await _upload(environment, BOB_KEY, data.bob_text, "text", "dataset")
    offer(objects, model)
    place = Place(workdir=workdir, file_root=workdir, algorithms=algorithms_folder())
    async with (
        turning(objects, place) as world,
        gateway_in_front(objects, workdir) as url,
        aiohttp.ClientSession() as session,
    ):
        await world.until(lambda: _is_published(objects))
        return await _purchase(
            objects, chain, Provider(session, url, PROVIDER_KEY), text, workdir / "results"
        )


async def _purchase(
    objects: Objects, chain: EmbeddedChain, provider: Provider, text: Upload, results: Path
) -> dict[str, Any]:
    asset, bob = _base_model(objects), address_of(BOB_KEY)
    print(f"Alice's model is for sale: {asset.status.did}")
    consumer = _environment(objects).status.consumer_address
    datatoken = asset.status.datatoken
    bought = await start_order(chain.url, BOB_KEY, datatoken, 0, consumer=consumer)
    print(f"Bob orders a training, in transaction {bought.tx_id}")
    stage = training(asset.status.did, bought.tx_id, text, STEPS)
    job = await provider.start(bob, ENVIRONMENT, bought.tx_id, chain.spec.chain_id, stage)
    print(f"the provider starts it at the gateway: job {job['jobId']}")
    job = await _followed(provider, bob, job["jobId"])
    if job["status"] != SUCCEEDED or not job.get("assetDID"):
        raise SystemExit(f"it ended as {job['statusText']}: {job['message']}")
    await _download(provider, bob, job, results)
    print(f"and his own asset: {job['assetDID']}, the child of Alice's")
    return job


async def _followed(provider: Provider, owner: str, job_id: str) -> dict[str, Any]:
    """Poll as Ocean's clients do, until the status is above 60."""
    shown = ""
    while True:
        job = await provider.status(owner, job_id)
        if job["statusText"] != shown:
            shown = job["statusText"]
            print(f"  {job['status']:>3}  {shown}")
        if job["status"] > FINISHED:
            return job
        await asyncio.sleep(POLL_SECONDS)


async def _download(provider: Provider, owner: str, job: dict[str, Any], results: Path) -> None:
    for result in job["results"]:
        content = await provider.result(owner, job["jobId"], result["index"])
        file = results / result["filename"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    print(f"Bob has {len(job['results'])} files in {results}, and no weights among them")


async def _upload(
    environment: ComputeEnvironment, owner: bytes, path: Path, name: str, kind: Kind
) -> Upload:
    target = Target(store=environment.spec.store, credentials={})
    done = await send(path, target, address_of(owner), name, kind)
    return Upload(prefix=done.prefix, manifest_digest=done.manifest_digest)


def _is_published(objects: Objects) -> bool:
    return is_true(_base_model(objects).status.conditions, "Ready")


def _base_model(objects: Objects) -> ModelAsset:
    found = objects.find(ModelAsset, BASE_MODEL)
    assert found is not None, "it was created above"
    return found


def _environment(objects: Objects) -> ComputeEnvironment:
    found = objects.find(ComputeEnvironment, Key("", ENVIRONMENT))
    assert found is not None, "it was created above"
    return found


if __name__ == "__main__":
    main()
