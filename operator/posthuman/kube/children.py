"""What a job has in the work namespace: made once, never applied again, ended by one deletion.

Names are deterministic, so "already exists" means done. A step's Job is made last: where it is,
everything it needs is there too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from posthuman.api.meta import LABEL_JOB_UID, Key
from posthuman.errors import Conflict, NotFound, TransientError
from posthuman.jobs.steps import Anchor, Step
from posthuman.kube.cache import Cache
from posthuman.kube.client import ALREADY_EXISTS, Body, KubeClient
from posthuman.kube.names import LABEL_JOB_NAME, master_name
from posthuman.kube.networking import master_service, peers_policy, peers_service
from posthuman.kube.render import (
    Images,
    anchor_manifest,
    job_manifest,
    plan_manifest,
    with_master,
    workspace_manifest,
)
from posthuman.kube.resources import CLAIMS, CONFIG_MAPS, JOBS, PODS, POLICIES, SERVICES, Resource

ANCHOR_TRUST_SECONDS = 60.0  # how long an anchor that was seen is taken to be there still


class Children:
    """Anchors and steps."""

    def __init__(
        self,
        client: KubeClient,
        cache: Cache,
        images: Images,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cache = cache
        self._images = images
        self._monotonic = monotonic
        self._anchors: dict[Key, tuple[str, float]] = {}  # UID, and when it was seen
        self._owners: dict[str, str] = {}  # anchor's UID → the job's
        self._claimed: set[str] = set()  # UIDs of anchors whose workspace is known to be there

    async def anchor_exists(self, namespace: str, name: str) -> bool:
        """Asked of the world, unless it was seen within the last minute."""
        key = Key(namespace, name)
        return await self._anchor_uid(key) is not None

    async def create_anchor(self, anchor: Anchor) -> None:
        """The anchor, then the workspace that it owns."""
        body = await self._create(CONFIG_MAPS, anchor_manifest(anchor))
        if body is not None:
            self._know(Key(anchor.namespace, anchor.name), body)
        await self._with_workspace(anchor)

    async def delete_anchor(self, namespace: str, name: str) -> None:
        """In the foreground: it stays until everything it owns is gone. Nobody waits here."""
        uid, _ = self._anchors.pop(Key(namespace, name), ("", 0.0))
        self._claimed.discard(uid)
        self._owners.pop(uid, None)
        options = {"propagationPolicy": "Foreground"}
        await self._client.delete(CONFIG_MAPS, namespace, name, options)

    async def create_step(self, anchor: Anchor, step: Step) -> None:
        """Everything the step needs, then its Job. Raises TransientError if the anchor is gone."""
        anchor = await self._with_workspace(anchor)
        if step.nodes > 1:
            step = await self._connect(anchor, step)
        if plan := plan_manifest(anchor, step):
            await self._create(CONFIG_MAPS, plan)
        body = await self._create(JOBS, job_manifest(anchor, step, self._images))
        if body is None:
            self._cache.read("Job", await self._client.get(JOBS, anchor.namespace, step.name))
        else:
            self._cache.answered("Job", body)

    async def delete_step(self, namespace: str, name: str, grace_seconds: float) -> None:
        """No new pods first; then an end to those that are there, within the grace."""
        options = {"propagationPolicy": "Foreground"}
        await self._client.delete(JOBS, namespace, name, options)
        grace = {"gracePeriodSeconds": max(0, round(grace_seconds))}
        await self._client.delete_all(PODS, namespace, f"{LABEL_JOB_NAME}={name}", grace)

    async def known(self, anchor: Anchor) -> Anchor:
        """The anchor with its UID. Raises TransientError if it is gone."""
        return await self._with_workspace(anchor)

    async def _connect(self, anchor: Anchor, step: Step) -> Step:
        """A way between the ranks, made before their pods; the step learns rank 0's address."""
        await self._create(POLICIES, peers_policy(anchor, step))
        await self._create(SERVICES, peers_service(anchor, step))
        service = await self._create(SERVICES, master_service(anchor, step))
        if service is None:
            name = master_name(step.name)
            service = await self._client.get(SERVICES, anchor.namespace, name)
        return with_master(step, service["spec"]["clusterIP"])

    async def _with_workspace(self, anchor: Anchor) -> Anchor:
        """The anchor with its UID; its volume is made if a crash came between the two."""
        key = Key(anchor.namespace, anchor.name)
        uid = await self._anchor_uid(key)
        if uid is None:
            raise TransientError(
                f"ConfigMap {key}, which owns the job's parts, is gone", "NoAnchor"
            )
        if self._owners.get(uid) != anchor.job_uid:  # names hold but a part of a job's UID
            raise TransientError(
                f"ConfigMap {key} belongs to another job, whose workspace isn't this one's; "
                "make the job anew",
                "AnchorTaken",
            )
        anchor = msgspec.structs.replace(anchor, uid=uid)
        if uid not in self._claimed:
            await self._create(CLAIMS, workspace_manifest(anchor))
            self._claimed.add(uid)
        return anchor

    async def _anchor_uid(self, key: Key) -> str | None:
        known = self._anchors.get(key)
        if known and self._monotonic() - known[1] < ANCHOR_TRUST_SECONDS:
            return known[0]
        return await self._find_anchor(key)

    async def _find_anchor(self, key: Key) -> str | None:
        try:
            body = await self._client.get(CONFIG_MAPS, key.namespace, key.name)
        except NotFound:
            self._anchors.pop(key, None)
            return None
        return self._know(key, body)

    def _know(self, key: Key, body: Body) -> str:
        """Remember it, unless it is about to go."""
        uid = str(body["metadata"]["uid"])
        self._owners[uid] = body["metadata"].get("labels", {}).get(LABEL_JOB_UID, "")
        if "deletionTimestamp" not in body["metadata"]:
            self._anchors[key] = (uid, self._monotonic())
        return uid

    async def _create(self, resource: Resource, body: Body) -> Body | None:
        """The new object, or None if one of that name exists already."""
        try:
            return await self._client.create(resource, body)
        except Conflict as conflict:
            if conflict.reason != ALREADY_EXISTS:
                raise
            return None
