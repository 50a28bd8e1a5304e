"""The Cluster port over the Kubernetes API and the cache that the watches keep.

Reads come from the cache, but where the port says otherwise; the answer to each write goes into the
cache at once, so that the next pass doesn't decide on what it has itself replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Progress
from posthuman.api.meta import FINALIZER, LABEL_ATTEMPT, LABEL_WORK_NAMESPACE, Key
from posthuman.api.parse import Resource as OwnObject
from posthuman.api.parse import dump, parse
from posthuman.errors import NotFound
from posthuman.jobs.steps import Anchor, Private, Step, StepState
from posthuman.kube.cache import Cache
from posthuman.kube.children import Children
from posthuman.kube.claims import OrderClaims
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.leases import Leases
from posthuman.kube.names import LABEL_JOB_NAME
from posthuman.kube.nonces import NonceBooks
from posthuman.kube.observe import step_state
from posthuman.kube.private import PrivateObjects, content_of
from posthuman.kube.resources import JOBS, NAMESPACES, OWN, PODS, SECRETS
from posthuman.kube.seen import SeenJob, seen_job, seen_pod
from posthuman.kube.story import Story
from posthuman.ports import JobEvent, NonceBook, OrderClaim


class KubeCluster:
    """Implements posthuman.ports.Cluster."""

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        children: Children,
        leases: Leases,
        nonces: NonceBooks,
        claims: OrderClaims,
        progress: Mapping[Key, Progress],
    ) -> None:
        self._client = client
        self._cache = cache
        self._children = children
        self._leases = leases
        self._nonces = nonces
        self._claims = claims
        self._progress = progress  # by the step's Job
        self._private = PrivateObjects(client, children)
        self._story = Story(client)

    async def close(self) -> None:
        """Finish what is being told and give up what is held."""
        await self._story.finish()
        await self._leases.release()

    async def job(self, key: Key, fresh: bool = False) -> ComputeJob | None:
        if not fresh:
            return self._cache.compute_jobs.get(key)
        try:
            body = await self._client.get(OWN["ComputeJob"], key.namespace, key.name)
        except NotFound:
            return None
        self._cache.read("ComputeJob", body)
        return parse(body, ComputeJob)

    async def asset(self, key: Key, fresh: bool = False) -> ModelAsset | None:
        if not fresh:
            return self._cache.assets.get(key)
        try:
            body = await self._client.get(OWN["ModelAsset"], key.namespace, key.name)
        except NotFound:
            return None
        self._cache.read("ModelAsset", body)
        return parse(body, ModelAsset)

    async def environment(self, name: str) -> ComputeEnvironment | None:
        return self._cache.environments.get(Key("", name))

    async def environment_names(self) -> Sequence[str]:
        return sorted(found.metadata.name for found in self._cache.environments.all())

    async def jobs_of(self, environment: str) -> Sequence[ComputeJob]:
        return self._cache.compute_jobs.of(environment)

    async def assets_of(self, environment: str) -> Sequence[ModelAsset]:
        return self._cache.assets.of(environment)

    async def anchor_exists(self, namespace: str, name: str) -> bool:
        return await self._children.anchor_exists(namespace, name)

    async def steps(self, namespace: str, job_uid: str) -> Sequence[StepState]:
        found = [job for job in self._cache.jobs.of(job_uid) if job.metadata.namespace == namespace]
        return [
            step_state(job, self._cache.pods_of(job), self._progress.get(job.metadata.key))
            for job in found
        ]

    async def step(self, namespace: str, name: str) -> StepState | None:
        try:
            job = seen_job(await self._client.get(JOBS, namespace, name))
        except NotFound:
            return None
        pods = await self._client.list(PODS, namespace, f"{LABEL_JOB_NAME}={name}")
        return step_state(
            job, [seen_pod(body) for body in pods["items"]], self._progress.get(job.metadata.key)
        )

    async def create_anchor(self, anchor: Anchor) -> None:
        await self._children.create_anchor(anchor)

    async def delete_anchor(self, namespace: str, name: str) -> None:
        await self._children.delete_anchor(namespace, name)

    async def strays(self, job: Key) -> Sequence[Key]:
        """In work namespaces alone: elsewhere anybody may put our labels on a Job."""
        steps = [found for found in self._cache.jobs.all() if found.metadata.compute_job == job]
        steps = [found for found in steps if not found.metadata.deletion_timestamp]
        if not steps:
            return ()
        try:
            body = await self._client.get(OWN["ComputeJob"], job.namespace, job.name)
        except NotFound:
            body = {"metadata": {"uid": ""}}
        stray = [found for found in steps if found.metadata.job_uid != body["metadata"]["uid"]]
        anchors = dict.fromkeys(_anchor_of(found) for found in stray)
        return [key for key in anchors if await self.namespace_prepared(key.namespace)]

    async def create_step(self, anchor: Anchor, step: Step) -> None:
        await self._children.create_step(anchor, step)

    async def delete_step(self, namespace: str, name: str, grace_seconds: float) -> None:
        await self._children.delete_step(namespace, name, grace_seconds)

    async def create_asset(self, asset: ModelAsset) -> None:
        body = await self._client.create(OWN["ModelAsset"], _new(dump(asset)))
        self._cache.answered("ModelAsset", body)

    async def write_job(self, job: ComputeJob) -> None:
        await self._write_status(job)

    async def write_asset(self, asset: ModelAsset) -> ModelAsset:
        return parse(await self._write_status(asset), ModelAsset)

    async def write_environment(self, environment: ComputeEnvironment) -> None:
        await self._write_status(environment)

    async def set_finalizer(self, kind: str, key: Key, present: bool) -> None:
        """Nothing to do where it is so already, or where the object is gone."""
        found: OwnObject | None = self._cache.shelves[kind].get(key)
        if found is None or (FINALIZER in found.metadata.finalizers) == present:
            return
        others = [name for name in found.metadata.finalizers if name != FINALIZER]
        metadata = {
            "resourceVersion": found.metadata.resource_version,
            "finalizers": [*others, FINALIZER] if present else others,
        }
        try:
            body = await self._client.patch(
                OWN[kind], key.namespace, key.name, {"metadata": metadata}
            )
        except NotFound:
            return
        self._cache.answered(kind, body)

    async def delete_job(self, key: Key) -> None:
        await self._client.delete(OWN["ComputeJob"], key.namespace, key.name)

    async def delete_asset(self, key: Key) -> None:
        await self._client.delete(OWN["ModelAsset"], key.namespace, key.name)

    async def emit(self, event: JobEvent) -> None:
        self._story.tell(event)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        return content_of(await self._client.get(SECRETS, namespace, name))

    async def job_secret(self, job: Key, name: str) -> Mapping[str, bytes]:
        return await self._private.job_secret(job, name)

    async def put_private(self, anchor: Anchor, private: Private) -> None:
        await self._private.put(anchor, private)

    async def delete_private(self, namespace: str, name: str) -> None:
        await self._private.delete(namespace, name)

    async def take_turn(self, anchor: Anchor, name: str) -> bool:
        return await self._private.take_turn(anchor, name)

    async def end_turn(self, anchor: Anchor, name: str) -> None:
        await self._private.end_turn(anchor, name)

    async def namespace_prepared(self, name: str) -> bool:
        try:
            body = await self._client.get(NAMESPACES, "", name)
        except NotFound:
            return False
        labels: dict[str, str] = body["metadata"].get("labels", {})
        return labels.get(LABEL_WORK_NAMESPACE) == "true"

    async def nonce_book(self, chain_id: int, signer: str) -> NonceBook:
        return await self._nonces.read(chain_id, signer)

    async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
        await self._nonces.save(chain_id, signer, book)

    async def order_claim(self, order_id: str) -> OrderClaim:
        return await self._claims.read(order_id)

    async def save_order_claim(self, claim: OrderClaim) -> None:
        await self._claims.save(claim)

    async def hold_lease(self, name: str) -> str:
        return await self._leases.hold(name)

    async def _write_status(self, resource: OwnObject) -> Body:
        kind = type(resource).__name__
        body = await self._client.replace(OWN[kind], dump(resource), "status")
        self._cache.answered(kind, body)
        return body


def _anchor_of(step: SeenJob) -> Key:
    """By its name, which begins with the anchor's."""
    metadata = step.metadata
    ending = f"-{metadata.role}-{metadata.labels.get(LABEL_ATTEMPT, '')}"
    return Key(metadata.namespace, metadata.name.removesuffix(ending))


def _new(body: Body) -> Body:
    """Without what only the API server may set."""
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    metadata = {name: value for name, value in body["metadata"].items() if name in kept}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}
