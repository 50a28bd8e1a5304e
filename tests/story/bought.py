"""A purchase on the real cluster: a model for sale, two gateways, a provider's part played.

What the provider says is examples/purchase's; here the gateway is the chart's, and pods are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp

from examples.purchase.lab import CONSUMER_KEY, PROVIDER_KEY, address_of
from examples.purchase.provider import Provider
from examples.purchase.workflow import training
from posthuman.api.environment import StoreSpec
from posthuman.api.meta import API_VERSION
from posthuman.cli.story.prepare import Data
from posthuman.cli.story.script import Upload
from posthuman.cli.upload import Kind, Target, send
from posthuman.ledger.account import DEV_KEYS
from posthuman.ledger.buying import start_order
from posthuman.ledger.node import CHAIN_ID
from tests.cluster import facts
from tests.cluster.kubectl import kubectl
from tests.cluster.shell import wait_until
from tests.services.world import TENANT, World, condition
from tests.story import bodies, services
from tests.story.installation import BOUGHT_NAMESPACE, SYSTEM_NAMESPACE, WORK_NAMESPACE
from tests.story.recorder import Body

ENVIRONMENT, ASSET = "market", "for-sale"
STEPS = 5
GATEWAY = "posthuman-operator-gateway"
SELECTED = "app.kubernetes.io/component=gateway"
# Nobody of the story, whose money and transactions are counted.
SELLER_KEY, BUYER_KEY, SIGNER_KEY = 32 * b"\x07", DEV_KEYS[0], DEV_KEYS[8]
STORE_URL = f"s3://posthuman/{ENVIRONMENT}"


def open_market(world: World) -> None:
    """An environment that lets one provider in, and asks the chain about each order."""
    body = bodies.environment(ENVIRONMENT, world.services.contracts)
    body["spec"]["policy"] = {"allowedProviders": [address_of(PROVIDER_KEY)], "verifyOrders": True}
    body["spec"]["chain"]["consumerKeySecret"] = {"name": ENVIRONMENT, "key": "consumer"}
    body["spec"]["chain"]["signerSecret"] = {"name": ENVIRONMENT, "key": "signer"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": ENVIRONMENT, "namespace": WORK_NAMESPACE},
        "stringData": {"consumer": CONSUMER_KEY.hex(), "signer": SIGNER_KEY.hex()},
    }
    world.apply(secret)
    world.ready_environment(body)


def upload(world: World, owner: bytes, path: Any, name: str, kind: Kind) -> Upload:
    """From outside the cluster."""
    store = StoreSpec(url=STORE_URL, endpoint=world.services.s3_endpoint, region="us-east-1")
    target = Target(store=store, credentials=services.CREDENTIALS)
    done = asyncio.run(send(path, target, address_of(owner), name, kind))
    return Upload(prefix=done.prefix, manifest_digest=done.manifest_digest)


def publish(world: World, data: Data) -> Body:
    """A tiny model, for nothing; once it is on chain."""
    model = upload(world, SELLER_KEY, data.model, "for-sale", "model")
    asset = {
        "apiVersion": API_VERSION,
        "kind": "ModelAsset",
        "metadata": {"name": ASSET, "namespace": TENANT},
        "spec": {
            "environmentRef": {"name": ENVIRONMENT},
            "owner": address_of(SELLER_KEY),
            "source": {"prefix": model.prefix, "manifestDigest": model.manifest_digest},
            "metadata": {"name": "A model for sale", "description": "Tiny, and free to train."},
            "pricing": {"kind": "Free"},
        },
    }
    world.apply(asset)
    world.recorder.wait(partial(_is_ready, world), 90, "the asset on chain")
    found = world.recorder.find("ModelAsset", TENANT, ASSET)
    assert found is not None
    return found


def order(world: World, asset: Body) -> str:
    """The buyer's, as Ocean's markets order compute: the environment's account is the consumer."""
    environment = world.recorder.find("ComputeEnvironment", "", ENVIRONMENT) or {}
    consumer: str = environment["status"]["consumerAddress"]
    datatoken: str = asset["status"]["datatoken"]
    bought = start_order(world.services.rpc_url, BUYER_KEY, datatoken, 0, consumer=consumer)
    return asyncio.run(bought).tx_id


def stage(asset: Body, tx_id: str, text: Upload) -> dict[str, Any]:
    """Of the workflow: train the model on the buyer's text, and publish what comes of it."""
    return training(asset["status"]["did"], tx_id, text, STEPS)


@asynccontextmanager
async def provider(key: bytes = PROVIDER_KEY) -> AsyncIterator[Provider]:
    """In front of the gateway's Service, by a port of the node; each request a connection of its
    own, so that both replicas are asked."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Provider(session, await asyncio.to_thread(gateway_url), key)


def gateway_url() -> str:
    """Of the Service."""
    path = "jsonpath={.spec.ports[0].nodePort}"
    port = kubectl("-n", SYSTEM_NAMESPACE, "get", "service", GATEWAY, "-o", path)
    return f"http://{facts.read()['NODE_IP']}:{port}"


def request_of(sender: Provider, tx_id: str, work: Mapping[str, Any]) -> dict[str, Any]:
    """The buyer's, signed by the provider."""
    return sender.request(address_of(BUYER_KEY), ENVIRONMENT, tx_id, CHAIN_ID, work)


def restart_one_gateway() -> None:
    """Kill a replica's pod, and wait until two are ready again."""
    pods = kubectl("-n", SYSTEM_NAMESPACE, "get", "pods", "-l", SELECTED, "-o", "name").split()
    kubectl("-n", SYSTEM_NAMESPACE, "delete", pods[0], "--grace-period=0", "--force")
    wait_until("two gateways", _two_are_ready, 60)


def jobs(world: World) -> list[Body]:
    """Those that purchases made."""
    found = world.recorder.present("ComputeJob")
    return [job for job in found if job["metadata"]["namespace"] == BOUGHT_NAMESPACE]


def _two_are_ready() -> bool:
    path = "jsonpath={.status.readyReplicas}"
    return kubectl("-n", SYSTEM_NAMESPACE, "get", "deployment", GATEWAY, "-o", path) == "2"


def _is_ready(world: World) -> bool:
    found = world.recorder.find("ModelAsset", TENANT, ASSET)
    return condition(found, "Ready").get("status") == "True"
