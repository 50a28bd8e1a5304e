"""Secrets of one step, and whose turn it is: small objects that a job's anchor owns.

A tenant's Secret is read by name and never listed; a copy lives in the work namespace for as long
as the step that is given it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from posthuman.api.meta import LABEL_FOR_JOBS, Key
from posthuman.errors import Conflict, NotFound, SecretForbidden
from posthuman.jobs.steps import Anchor, Private
from posthuman.kube.children import Children
from posthuman.kube.client import ALREADY_EXISTS, Body, KubeClient
from posthuman.kube.names import Manifest, anchor_labels, owned_metadata
from posthuman.kube.resources import CONFIG_MAPS, SECRETS, Resource

DOCKER_CONFIG_TYPE = "kubernetes.io/dockerconfigjson"
ANY_JOB = "true"  # the mark of a Secret that every job of its namespace may name
HOLDER = "jobUid"  # whose turn it is


class PrivateObjects:
    """The Cluster port's Secrets for steps, and its turns."""

    def __init__(self, client: KubeClient, children: Children) -> None:
        self._client, self._children = client, children

    async def job_secret(self, job: Key, name: str) -> Mapping[str, bytes]:
        """See ports.Cluster; what the API server says becomes a sentence that says what to do.

        Jobs of several people may share a namespace (the gateway's do): a Secret that is one job's
        alone says so, lest another job names it.
        """
        namespace, key = job.namespace, Key(job.namespace, name)
        try:
            body = await self._client.get(SECRETS, namespace, name)
        except SecretForbidden as error:
            raise SecretForbidden(
                f"the operator may not read Secret {key}: ask the cluster's admin to name "
                f'namespace "{namespace}" in the chart\'s tenantNamespaces'
            ) from error
        except NotFound as error:
            raise NotFound(
                f"there is no Secret {key}; create it, or correct its name", "SecretNotFound"
            ) from error
        mark = body["metadata"].get("labels", {}).get(LABEL_FOR_JOBS)
        if mark not in (ANY_JOB, job.name):
            raise NotFound(
                f"Secret {key} isn't meant for this job; if it is, label it: kubectl label secret "
                f"-n {namespace} {name} {LABEL_FOR_JOBS}=true",
                "SecretNotForJobs",
            )
        return content_of(body)

    async def put(self, anchor: Anchor, private: Private) -> None:
        """Replaced by deletion, so that nothing of an old one is left."""
        anchor = await self._children.known(anchor)
        body = secret_manifest(anchor, private)
        if not await self._created(SECRETS, body):
            await self.delete(anchor.namespace, private.name)
            await self._client.create(SECRETS, body)

    async def delete(self, namespace: str, name: str) -> None:
        """Absent is done."""
        await self._client.delete(SECRETS, namespace, name)

    async def take_turn(self, anchor: Anchor, name: str) -> bool:
        """The object's creation decides, so that two replicas can't both have it."""
        anchor = await self._children.known(anchor)
        if await self._created(CONFIG_MAPS, turn_manifest(anchor, name)):
            return True
        return await self._holder(anchor.namespace, name) == anchor.job_uid

    async def end_turn(self, anchor: Anchor, name: str) -> None:
        """Only one's own."""
        if await self._holder(anchor.namespace, name) == anchor.job_uid:
            await self._client.delete(CONFIG_MAPS, anchor.namespace, name)

    async def _holder(self, namespace: str, name: str) -> str:
        try:
            body = await self._client.get(CONFIG_MAPS, namespace, name)
        except NotFound:
            return ""
        return str((body.get("data") or {}).get(HOLDER, ""))

    async def _created(self, resource: Resource, body: Body) -> bool:
        try:
            await self._client.create(resource, body)
        except Conflict as conflict:
            if conflict.reason != ALREADY_EXISTS:
                raise
            return False
        return True


def content_of(secret: Body) -> dict[str, bytes]:
    """A Secret's data, decoded."""
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def secret_manifest(anchor: Anchor, private: Private) -> Manifest:
    """`anchor.uid` is known by now."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": owned_metadata(anchor, private.name, anchor_labels(anchor)),
        "type": DOCKER_CONFIG_TYPE if private.pulls else "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in private.content.items()},
    }


def turn_manifest(anchor: Anchor, name: str) -> Manifest:
    """It goes with the job, if nobody ends it before."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned_metadata(anchor, name, anchor_labels(anchor)),
        "data": {HOLDER: anchor.job_uid},
    }
