"""The signer's key, the node's API key and the store's password stand in their Secrets, and nowhere
else in all that the session's jobs have made anybody write. Its modules come first by name.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.cluster.kubectl import kubectl
from tests.cluster.layout import KUBECONFIG
from tests.services.leaks import leaks
from tests.services.world import TENANT, World
from tests.story import bodies, installation, services
from tests.story.recorder import Body
from tests.story.stage import STORE_URL

pytestmark = pytest.mark.cluster

SECRETS = {
    "signer's key": bodies.SIGNER_KEY,
    "node's API key": bodies.RPC_API_KEY.encode(),
    "store's password": services.CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode(),
}
WORK = installation.WORK_NAMESPACE
AT_HOME = {  # the Secrets that hold them; services' own namespace plays the outside world
    (WORK, bodies.SIGNER_SECRET),
    (WORK, bodies.RPC_SECRET),
    (WORK, bodies.STORE_SECRET),
}
Written = Iterator[tuple[str, bytes]]


def objects() -> Written:
    """Every object of every kind that the API server lists, but for those Secrets."""
    kinds = kubectl("api-resources", "--verbs=list", "--output=name").split()
    kinds.remove("events")  # the same ones as events.events.k8s.io
    listed = kubectl("get", ",".join(kinds), "--all-namespaces", "--output=json")
    for body in json.loads(listed)["items"]:
        where = (body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if where[0] != services.NAMESPACE and not (body["kind"] == "Secret" and where in AT_HOME):
            yield f"{body['kind']} {'/'.join(where)}", json.dumps(body).encode()


def everything_that_happened(world: World) -> Written:
    """Each state of each job, asset, environment, pod, Job, policy and event while they lived."""
    for event in world.recorder.events():
        if event.namespace != services.NAMESPACE:
            yield f"{event.kind} {event.namespace}/{event.name}", json.dumps(event.body).encode()


def logs() -> Written:
    """Of the pods that are there now: the operator's, and the gateway's."""
    for namespace in (installation.SYSTEM_NAMESPACE, WORK, TENANT):
        for name in kubectl("-n", namespace, "get", "pods", "-o", "name").split():
            said = kubectl("-n", namespace, "logs", name, "--all-containers", "--prefix")
            yield f"log of {namespace}/{name}", said.encode()


async def stored(world: World, url: str) -> list[tuple[str, bytes]]:
    """Every object of a store: manifests, receipts, results, and the logs of ended pods."""
    store = world.services.objects(url)
    found: list[tuple[str, bytes]] = []
    async for page in store.list():
        for meta in page:
            content = await (await store.get_async(meta["path"])).bytes_async()
            found.append((f"{url}/{meta['path']}", bytes(content)))
    return found


@pytest.fixture(scope="module")
def stores(world: World) -> list[tuple[str, bytes]]:
    """Of both environments."""
    urls = (STORE_URL, "s3://posthuman/tests")
    return [one for url in urls for one in asyncio.run(stored(world, url))]


def test_there_is_something_to_look_at(world: World, stores: list[tuple[str, bytes]]) -> None:
    """And the secrets are what the operator was given."""
    kinds = {place.partition(" ")[0] for place, _ in objects()}
    assert {"ComputeEnvironment", "Pod", "ConfigMap", "Secret", "Event", "Lease"} <= kinds
    assert all(said for _, said in logs())
    assert next(logs(), None)
    held = {name: kubectl("-n", WORK, "get", "secret", name, "-o", "json") for _, name in AT_HOME}
    assert {leak.secret for leak in leaks(encoded(held), SECRETS)} == set(SECRETS)


def encoded(texts: Mapping[str, str]) -> Written:
    for name, text in texts.items():
        yield name, text.encode()


def test_what_is_planted_is_found(world: World) -> None:
    """In an object like any other."""
    body: Body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "planted", "namespace": TENANT},
        "data": {"note": f"the key is 0x{bodies.SIGNER_KEY.hex().upper()}, I think"},
    }
    world.apply(body)
    try:
        found = leaks(objects(), SECRETS)
    finally:
        kubectl("-n", TENANT, "delete", "configmap", "planted")
    assert {(leak.secret, leak.place) for leak in found} == {
        ("signer's key", f"ConfigMap {TENANT}/planted")
    }


def test_no_object_holds_a_secret(world: World) -> None:
    assert leaks(objects(), SECRETS) == []


def test_no_object_ever_held_one(world: World) -> None:
    assert leaks(everything_that_happened(world), SECRETS) == []


def test_no_log_holds_one(world: World) -> None:
    assert leaks(logs(), SECRETS) == []


def test_no_file_in_the_store_holds_one(stores: list[tuple[str, bytes]]) -> None:
    assert leaks(stores, SECRETS) == []


def test_a_person_verifies_what_was_published_by_the_environments_name(world: World) -> None:
    """With a kubeconfig, a node and a store's credentials of their own."""
    dids = [body["status"].get("did") for body in world.recorder.present("ModelAsset")]
    if not any(dids):
        pytest.skip("nothing was published: run test_story.py before it")
    own = {
        "KUBECONFIG": str(KUBECONFIG),
        "POSTHUMAN_RPC_URL": world.services.rpc_url,
        **services.CREDENTIALS,
    }
    store = ("--store", STORE_URL, "--store-endpoint", world.services.s3_endpoint)
    command = [sys.executable, "-m", "posthuman.cli", "verify", dids[-1], "--environment", "lab"]
    done = subprocess.run(
        [*command, *store, "--store-region", "us-east-1"],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "everything fits" in done.stdout
