"""A marketplace on this machine: a chain, an environment, an asset for sale, and the gateway."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvicorn

from posthuman.api.asset import AssetMetadata, AssetSpec, ModelAsset, Pricing, PricingKind, Source
from posthuman.api.environment import ComputeEnvironment, StoreSpec
from posthuman.api.meta import Key, Meta, NamedRef, SecretKeyRef
from posthuman.bootstrap import SystemClock
from posthuman.cli.story.script import Upload
from posthuman.gateway.app import create_app
from posthuman.gateway.metrics import GatewayMetrics
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings
from posthuman.ledger.account import DEV_KEYS, account_of
from posthuman.local.access import LocalAccess
from posthuman.local.chain import EmbeddedChain
from posthuman.local.embedded import WORK_NAMESPACE, embedded_environment
from posthuman.local.objects import Objects
from posthuman.local.session import play
from posthuman.store.streams import ObjectFiles, open_files

ALICE_KEY, BOB_KEY, PROVIDER_KEY, CONSUMER_KEY = DEV_KEYS[1], DEV_KEYS[2], DEV_KEYS[6], DEV_KEYS[7]
ENVIRONMENT = "lab"
JOBS_NAMESPACE = "ocean-jobs"
BASE_MODEL = Key("alice", "base-model")
CONSUMER_SECRET = "consumer"


def address_of(private_key: bytes) -> str:
    """Checksummed."""
    address: str = account_of(private_key).address
    return address


def make_environment(objects: Objects, workdir: Path, chain: EmbeddedChain) -> ComputeEnvironment:
    """One provider is let in, and the chain is asked about each order."""
    spec = msgspec.structs.replace(
        chain.spec, consumer_key_secret=SecretKeyRef(name=CONSUMER_SECRET, key="key")
    )
    played = embedded_environment(ENVIRONMENT, workdir, spec)
    policy = msgspec.structs.replace(
        played.spec.policy, allowed_providers=(address_of(PROVIDER_KEY),), verify_orders=True
    )
    hardware = msgspec.structs.replace(played.spec.hardware, gpus_per_node=0)
    changed = msgspec.structs.replace(played.spec, policy=policy, hardware=hardware)
    environment = msgspec.structs.replace(played, spec=changed)
    objects.put_secret(Key(WORK_NAMESPACE, CONSUMER_SECRET), {"key": CONSUMER_KEY.hex().encode()})
    play(objects, environment, chain)
    return environment


def offer(objects: Objects, model: Upload) -> None:
    """Alice's model, for nothing: the dispenser gives whoever asks a datatoken."""
    spec = AssetSpec(
        environment_ref=NamedRef(name=ENVIRONMENT),
        owner=address_of(ALICE_KEY),
        source=Source(prefix=model.prefix, manifest_digest=model.manifest_digest),
        metadata=AssetMetadata(
            name="A tiny model", description="A model of a few verses, to be trained further."
        ),
        pricing=Pricing(kind=PricingKind.FREE),
    )
    meta = Meta(name=BASE_MODEL.name, namespace=BASE_MODEL.namespace)
    objects.create(ModelAsset(metadata=meta, spec=spec))


@asynccontextmanager
async def gateway_in_front(objects: Objects, workdir: Path) -> AsyncIterator[str]:
    """The URL of one replica, while the block lasts."""
    gateway = Gateway(
        LocalAccess(objects, workdir),
        _files_of,
        SystemClock(),
        GatewaySettings(namespace=JOBS_NAMESPACE, host="127.0.0.1", port=0),
        GatewayMetrics(),
    )
    listening = socket.create_server(("127.0.0.1", 0))  # who connects early waits
    app = create_app(gateway)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _files_of(environment: ComputeEnvironment) -> ObjectFiles:
    """A folder needs no credentials."""
    store: StoreSpec = environment.spec.store
    return open_files(store, {})
