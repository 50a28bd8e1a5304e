"""A Cluster and the people around it: on the fake, and on a real API server.

`World` is what a person or a chart does to the cluster, so that one suite can ask both the same.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import LABEL_WORK_NAMESPACE, Key
from posthuman.api.parse import Resource as OwnObject
from posthuman.api.parse import dump
from posthuman.errors import NotFound
from posthuman.kube.cache import Cache
from posthuman.kube.children import Children
from posthuman.kube.claims import OrderClaims
from posthuman.kube.client import KubeClient
from posthuman.kube.cluster import KubeCluster
from posthuman.kube.connection import Connection, connect
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.leases import Leases, new_identity
from posthuman.kube.names import MANAGED_SELECTOR
from posthuman.kube.nonces import NonceBooks
from posthuman.kube.progress import ProgressReader
from posthuman.kube.render import Images
from posthuman.kube.resources import JOBS, NAMESPACES, OWN, PODS, SECRETS, WATCHED
from posthuman.local.objects import Objects
from posthuman.metrics import Metrics
from posthuman.ports import Cluster
from tests.fakes.cluster import FakeCluster
from tests.kube.builders import IMAGES


class World(Protocol):
    """One cluster with a tenant's namespace and a work namespace."""

    @property
    def cluster(self) -> Cluster: ...
    @property
    def tenant(self) -> str: ...
    @property
    def work(self) -> str: ...
    async def create(self, resource: OwnObject) -> None:
        """As a person."""

    async def put_secret(self, name: str, content: Mapping[str, bytes]) -> None:
        """Into the work namespace."""

    async def settle(self) -> None:
        """Let reads that come from a cache see everything."""


class FakeWorld:
    """In memory."""

    tenant = "bob"
    work = "work"

    def __init__(self) -> None:
        self.objects = Objects()
        self.cluster = FakeCluster(self.objects)

    async def create(self, resource: OwnObject) -> None:
        match resource:
            case ComputeJob():
                self.objects.create(resource)
            case ModelAsset():
                self.objects.create(resource)
            case ComputeEnvironment():
                self.objects.create(resource)

    async def put_secret(self, name: str, content: Mapping[str, bytes]) -> None:
        self.objects.put_secret(Key(self.work, name), content)

    async def settle(self) -> None: ...


class RealWorld:
    """On a real API server, in namespaces of its own; the cache is filled by lists, on `settle`."""

    def __init__(self, connection: Connection, suffix: str, images: Images) -> None:
        self.metrics = Metrics()
        self.connection = connection
        self.client = KubeClient(connection, self.metrics)
        self.tenant = f"bob-{suffix}"
        self.work = f"work-{suffix}"
        self.unseen = UnseenWrites(self.metrics)
        self.cache = Cache(lambda kind, old, new: None, self.unseen)
        self.progress = ProgressReader(self.client, lambda job: None, lambda pod: True)
        self.children = Children(self.client, self.cache, images)
        self.cluster = KubeCluster(
            self.client,
            self.cache,
            self.children,
            self.leases(),
            NonceBooks(self.client, self.work, self.metrics),
            OrderClaims(self.client, self.work),
            self.progress.latest,
        )

    def leases(self, monotonic: Callable[[], float] | None = None) -> Leases:
        """Of a process of its own."""
        identity = new_identity()
        if monotonic is None:
            return Leases(self.client, self.work, identity)
        return Leases(self.client, self.work, identity, monotonic)

    async def create(self, resource: OwnObject) -> None:
        await self.client.create(OWN[type(resource).__name__], plain(resource))

    async def put_secret(self, name: str, content: Mapping[str, bytes]) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in content.items()}
        metadata = {"name": name, "namespace": self.work}
        await self.client.create(SECRETS, {"metadata": metadata, "data": data})

    async def lend(
        self, name: str, content: Mapping[str, bytes], labels: Mapping[str, str]
    ) -> None:
        """A Secret of a person's own, in the tenant's namespace."""
        data = {key: base64.b64encode(value).decode() for key, value in content.items()}
        metadata = {"name": name, "namespace": self.tenant, "labels": dict(labels)}
        await self.client.create(SECRETS, {"metadata": metadata, "data": data})

    async def settle(self) -> None:
        for resource in WATCHED.values():
            selector = MANAGED_SELECTOR if resource in (JOBS, PODS) else ""
            found = await self.client.list(resource, selector=selector)
            version = found["metadata"]["resourceVersion"]
            self.cache.listed(resource.kind, found["items"], version)

    async def begin(self) -> None:
        """Make the namespaces."""
        for name, labels in ((self.tenant, {}), (self.work, {LABEL_WORK_NAMESPACE: "true"})):
            await self.client.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})

    async def end(self) -> None:
        """Leave nothing behind, cluster-scoped objects included."""
        await self.settle()
        for kind, objects in (
            ("ComputeJob", self.cache.compute_jobs.all()),
            ("ModelAsset", self.cache.assets.all()),
            ("ComputeEnvironment", self.cache.environments.all()),
        ):
            for found in objects:
                if self.owns(found):
                    await self._remove(kind, found)
        for name in (self.tenant, self.work):
            await self.client.delete(NAMESPACES, "", name)
        await self.progress.close()
        await self.cluster.close()
        await self.client.close()

    def owns(self, found: Any) -> bool:
        """Whether this world's tests made it."""
        suffix = self.work.removeprefix("work-")
        names = (found.metadata.namespace, found.metadata.name)
        return any(name.endswith(suffix) for name in names)

    async def _remove(self, kind: str, found: Any) -> None:
        """Whatever holds it: an operator that is installed here may have taken it up."""
        namespace, name = found.metadata.key
        await self.client.delete(OWN[kind], namespace, name)
        try:
            nothing = {"metadata": {"finalizers": None}}
            await self.client.patch(OWN[kind], namespace, name, nothing)
        except NotFound:
            return


def plain(resource: OwnObject) -> dict[str, Any]:
    """As a person writes it: no UID, no version, no status."""
    body = dump(resource)
    body.pop("status", None)
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    body["metadata"] = {k: v for k, v in body["metadata"].items() if k in kept}
    return body


@asynccontextmanager
async def real_world(kubeconfig: Path, images: Images = IMAGES) -> AsyncIterator[RealWorld]:
    """Namespaces on the cluster for one test, and their end."""
    world = RealWorld(await connect(str(kubeconfig)), uuid4().hex[:8], images)
    await world.begin()
    try:
        yield world
    finally:
        await world.end()


def in_world(world: World, found: OwnObject, name: str = "") -> Any:
    """The object in the world's tenant namespace (or with a name of its own, cluster-scoped)."""
    suffix = world.work.removeprefix("work-") if isinstance(world, RealWorld) else "fake"
    if isinstance(found, ComputeEnvironment):
        unique = f"{name or found.metadata.name}-{suffix}"
        return _renamed(found, name=unique)
    reference = msgspec.structs.replace(found.spec.environment_ref, name=f"a100-{suffix}")
    spec = msgspec.structs.replace(found.spec, environment_ref=reference)
    moved: OwnObject = _renamed(
        found, name=name or found.metadata.name, namespace=world.tenant, finalizers=()
    )
    return msgspec.structs.replace(moved, spec=spec)


def _renamed(found: Any, **changes: object) -> Any:
    return msgspec.structs.replace(
        found, metadata=msgspec.structs.replace(found.metadata, **changes)
    )
