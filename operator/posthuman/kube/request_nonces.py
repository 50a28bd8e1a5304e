"""Nonces of requests, as Leases: one a nonce, gone some minutes after nobody can use it more."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from posthuman.api.meta import GROUP, LABEL_MANAGED, Key
from posthuman.errors import Conflict, NotFound, TransientError
from posthuman.kube.client import ALREADY_EXISTS, Body, KubeClient
from posthuman.kube.resources import LEASES, SECRETS

LABEL_NONCE = f"{GROUP}/nonce"
MANAGER = "posthuman-gateway"
SELECTOR = f"{LABEL_NONCE}=true"
ANNOTATION_EXPIRES = f"{GROUP}/expires"  # epoch seconds
PREFIX = "nonce-"


class RequestNonces:
    """For all replicas: in the first of `namespaces`, and a copy wherever a Secret needs it, as an
    owner has to be beside what it owns."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str]) -> None:
        self._client = client
        self._namespaces = tuple(namespaces)

    async def use(self, digest: str, request_digest: str, expires_at: float) -> str:
        """The request that the nonce belongs to: this one, or the one that came first."""
        lease = _lease(self._namespaces[0], digest, request_digest, f"{expires_at:.0f}")
        return str((await self._made(lease))["spec"]["holderIdentity"])

    async def expired(self, now: float) -> list[str]:
        """Digests, each once."""
        lists = [
            await self._client.list(LEASES, one, selector=SELECTOR) for one in self._namespaces
        ]
        names = {
            item["metadata"]["name"]
            for found in lists
            for item in found["items"]
            if float(item["metadata"].get("annotations", {}).get(ANNOTATION_EXPIRES, 0)) < now
        }
        return sorted(name.removeprefix(PREFIX) for name in names)

    async def forget(self, digest: str) -> None:
        """Its Secrets go with it. The first namespace's goes last: it is what is looked for."""
        for namespace in reversed(self._namespaces):
            await self._client.delete(LEASES, namespace, PREFIX + digest)

    async def create_secret(
        self, key: Key, content: Mapping[str, bytes], labels: Mapping[str, str], digest: str
    ) -> None:
        """Owned by the nonce. Raises TransientError where that was forgotten meanwhile."""
        lease = await self._read(self._namespaces[0], digest)
        if key.namespace != self._namespaces[0]:
            expires_at = lease["metadata"]["annotations"][ANNOTATION_EXPIRES]
            holder = lease["spec"]["holderIdentity"]
            lease = await self._made(_lease(key.namespace, digest, holder, expires_at))
        await self._create_owned(key, content, labels, lease["metadata"])

    async def _create_owned(
        self, key: Key, content: Mapping[str, bytes], labels: Mapping[str, str], lease: Body
    ) -> None:
        owner = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": lease["name"]}
        body: Body = {
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "labels": {**labels, LABEL_MANAGED: MANAGER},
                "ownerReferences": [{**owner, "uid": lease["uid"]}],
            },
            "data": {name: base64.b64encode(raw).decode() for name, raw in content.items()},
        }
        try:
            await self._client.create(SECRETS, body)
        except Conflict as error:
            if error.reason != ALREADY_EXISTS:
                raise

    async def _made(self, lease: Body) -> Body:
        """It, or the one that was first."""
        try:
            return await self._client.create(LEASES, lease)
        except Conflict as error:
            if error.reason != ALREADY_EXISTS:
                raise
        metadata = lease["metadata"]
        return await self._read(metadata["namespace"], metadata["name"].removeprefix(PREFIX))

    async def _read(self, namespace: str, digest: str) -> Body:
        try:
            return await self._client.get(LEASES, namespace, PREFIX + digest)
        except NotFound as error:
            raise TransientError("the request's nonce was just forgotten; sign it anew") from error


def _lease(namespace: str, digest: str, holder: str, expires_at: str) -> Body:
    return {
        "metadata": {
            "name": PREFIX + digest,
            "namespace": namespace,
            "labels": {LABEL_NONCE: "true", LABEL_MANAGED: MANAGER},
            "annotations": {ANNOTATION_EXPIRES: expires_at},
        },
        "spec": {
            "holderIdentity": holder,
            "acquireTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
