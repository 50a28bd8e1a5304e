"""The gateway's JobAccess over the Kubernetes API: reads from watches, writes by few rights.

Nonces are Leases: creating one decides who was first, also between replicas. A Secret belongs to
its nonce's Lease until a job owns it, so that Kubernetes' garbage collector removes what a broken
request left.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import API_VERSION, GROUP, PLURALS, Key
from posthuman.api.parse import T, dump, parse
from posthuman.errors import NotFound, TransientError
from posthuman.gateway.ports import Person
from posthuman.kube.cache import Shelf
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.live_log import live_log
from posthuman.kube.reflector import Reflector
from posthuman.kube.request_nonces import RequestNonces
from posthuman.kube.resources import ACCESS_REVIEWS, LEASES, OWN, SECRETS, TOKEN_REVIEWS

CHECK_SECONDS = 3.0  # how long an answer of the API server counts
ANSWER_SECONDS = 5.0
SILENT_SECONDS = 150.0  # a watch that opening anew doesn't help


class KubeAccess:
    """Implements posthuman.gateway.ports.JobAccess, for the jobs of `namespaces`."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str]) -> None:
        self._client = client
        self._nonces = RequestNonces(client, namespaces)
        self._home = namespaces[0]
        self._jobs = {one: _reflector(client, ComputeJob, one) for one in namespaces}
        self._environments = _reflector(client, ComputeEnvironment, "")
        self._assets = _reflector(client, ModelAsset, "")
        self._answered_at = -CHECK_SECONDS

    async def run(self) -> None:
        """Keep the caches; ends only with an error of our own."""
        async with asyncio.TaskGroup() as group:
            for one in self._reflectors():
                group.create_task(one.run())

    async def ready(self) -> bool:
        """Whether the caches are filled and alive, and the API server answers."""
        alive = all(r.filled and r.silence_seconds < SILENT_SECONDS for r in self._reflectors())
        return alive and await self._answers()

    def environments(self) -> Sequence[ComputeEnvironment]:
        """From the cache."""
        return self._environments.shelf.all()

    def jobs(self) -> Sequence[ComputeJob]:
        """Of all its namespaces, from the cache."""
        return [job for one in self._jobs.values() for job in one.shelf.all()]

    def seen_job(self, key: Key) -> ComputeJob | None:
        """From the cache."""
        reflector = self._jobs.get(key.namespace)
        return reflector.shelf.get(key) if reflector else None

    def assets(self) -> Sequence[ModelAsset]:
        """From the cache."""
        return self._assets.shelf.all()

    async def job(self, key: Key) -> ComputeJob | None:
        """From the API server itself."""
        try:
            body = await self._client.get(OWN["ComputeJob"], key.namespace, key.name)
        except NotFound:
            return None
        return self._taken(body)

    async def create_job(self, job: ComputeJob) -> ComputeJob:
        """Raises Conflict, UserError."""
        return self._taken(await self._client.create(OWN["ComputeJob"], dump(job)))

    async def create_secret(
        self,
        key: Key,
        content: Mapping[str, bytes],
        labels: Mapping[str, str],
        nonce_digest: str,
    ) -> None:
        """Owned by the nonce's Lease."""
        await self._nonces.create_secret(key, content, labels, nonce_digest)

    async def own_secret(self, key: Key, job: ComputeJob) -> None:
        """The job becomes its only owner."""
        meta = job.metadata
        owner = {"kind": "ComputeJob", "apiVersion": API_VERSION, "name": meta.name}
        change = {"metadata": {"ownerReferences": [{**owner, "uid": meta.uid}]}}
        try:
            await self._client.patch(SECRETS, key.namespace, key.name, change)
        except NotFound:
            return

    async def patch_job(
        self,
        job: ComputeJob,
        *,
        stop: bool | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ComputeJob:
        """Raises Conflict, NotFound."""
        meta: Body = {"resourceVersion": job.metadata.resource_version}
        if annotations:
            meta["annotations"] = dict(annotations)
        spec = {} if stop is None else {"spec": {"stop": stop}}
        namespace, name = job.metadata.key
        change = {"metadata": meta, **spec}
        return self._taken(await self._client.patch(OWN["ComputeJob"], namespace, name, change))

    async def delete_job(self, key: Key) -> None:
        """Ask for its deletion."""
        await self._client.delete(OWN["ComputeJob"], key.namespace, key.name)

    async def use_nonce(self, digest: str, request_digest: str, expires_at: float) -> str:
        """By creating a Lease."""
        return await self._nonces.use(digest, request_digest, expires_at)

    async def expired_nonces(self, now: float) -> Sequence[str]:
        """By the time that stands in the Lease."""
        return await self._nonces.expired(now)

    async def forget_nonce(self, digest: str) -> None:
        """Delete the Lease."""
        await self._nonces.forget(digest)

    async def review_token(self, token: str) -> Person | None:
        """TokenReview."""
        body = {"metadata": {}, "spec": {"token": token}}
        status = (await self._client.create(TOKEN_REVIEWS, body)).get("status", {})
        if not status.get("authenticated"):
            return None
        user = status["user"]
        return Person(username=user["username"], groups=tuple(user.get("groups", ())))

    async def may(self, person: Person, verb: str, kind: str, namespace: str) -> bool:
        """SubjectAccessReview."""
        asked = {
            "verb": verb,
            "group": GROUP,
            "resource": PLURALS[kind],
            "namespace": namespace,
        }
        spec = {"user": person.username, "groups": person.groups, "resourceAttributes": asked}
        answer = await self._client.create(ACCESS_REVIEWS, {"metadata": {}, "spec": spec})
        return bool(answer.get("status", {}).get("allowed"))

    def live_log(self, job: ComputeJob, follow: bool) -> AsyncIterator[bytes]:
        """Of rank 0's pod."""
        return live_log(self._client, job, follow)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """A store's credentials. Raises NotFound, SecretForbidden."""
        body = await self._client.get(SECRETS, namespace, name)
        return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}

    def _reflectors(self) -> list[Reflector[Any]]:
        return [*self._jobs.values(), self._environments, self._assets]

    def _taken(self, body: Body) -> ComputeJob:
        """Into the cache at once: what this replica wrote it also shows."""
        job = parse(body, ComputeJob)
        if job.metadata.namespace in self._jobs:
            self._jobs[job.metadata.namespace].shelf.apply(body)
        return job

    async def _answers(self) -> bool:
        if time.monotonic() - self._answered_at < CHECK_SECONDS:
            return True
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._client.list(LEASES, self._home, selector=f"{GROUP}/none=none")
        except (TransientError, TimeoutError):
            return False
        self._answered_at = time.monotonic()
        return True


def _reflector(client: KubeClient, kind: type[T], namespace: str) -> Reflector[T]:
    shelf: Shelf[T] = Shelf(partial(parse, kind=kind), lambda _: "", lambda _old, _new: None)
    return Reflector(client, OWN[kind.__name__], namespace, shelf)
