"""Leases: which of several operator processes may do what only one may.

A lease is another's until it was seen unchanged for its whole duration on *our* clock, so that
clocks that differ between machines do no harm (as Kubernetes' own leader election does it). Each
term of a holder is an epoch: what another process wrote in between is from another one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from posthuman.errors import Conflict, NotFound, TransientError
from posthuman.kube.client import Body, KubeClient
from posthuman.kube.resources import LEASES

logger = logging.getLogger(__name__)

DURATION_SECONDS = 9  # more than the longest wait between two looks at an open transaction
RENEW_AFTER_SECONDS = DURATION_SECONDS / 3


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    """Of a Lease object."""

    holder_identity: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


def new_identity() -> str:
    """Of this process; another start is another holder."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class Leases:
    """The Leases that this process holds in the operator's namespace."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        identity: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._identity = identity
        self._monotonic = monotonic
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._renewed_at: dict[str, float] = {}
        self._epochs: dict[str, str] = {}  # of the terms that this process is in
        self._others: dict[str, tuple[_Spec, float]] = {}  # as last seen, and since when so

    async def hold(self, name: str) -> str:
        """Acquire or renew: the epoch; "" while another process holds it.

        One at a time: passes of one process that renew at once would take each other for another.
        """
        async with self._locks[name]:
            return await self._hold(name)

    async def _hold(self, name: str) -> str:
        renewed_at = self._renewed_at.get(name)
        if renewed_at is not None and self._monotonic() - renewed_at < RENEW_AFTER_SECONDS:
            return self._epochs[name]
        began = self._monotonic()
        try:
            epoch = await self._acquire(name)
        except Conflict:
            epoch = ""
        if epoch:
            self._renewed_at[name], self._epochs[name] = began, epoch
        else:
            self._renewed_at.pop(name, None)
        return epoch

    async def release(self) -> None:
        """Give all up, so that a successor needn't wait. Best effort."""
        for name in list(self._renewed_at):
            del self._renewed_at[name]
            try:
                body = await self._client.get(LEASES, self._namespace, name)
                if body["spec"].get("holderIdentity") == self._identity:
                    body["spec"]["holderIdentity"] = ""
                    await self._client.replace(LEASES, body)
            except (NotFound, TransientError) as error:
                logger.warning("lease %s is left to expire: %s", name, error)

    async def _acquire(self, name: str) -> str:
        try:
            body = await self._client.get(LEASES, self._namespace, name)
        except NotFound:
            await self._client.create(LEASES, self._body(name, 0))
            return self._epoch(0)
        spec = msgspec.convert(body.get("spec", {}), _Spec)
        if not self._may_take(name, spec):
            return ""
        ours = spec.holder_identity == self._identity
        term = spec.lease_transitions + (0 if ours else 1)
        body["spec"] = self._body(name, term)["spec"]
        await self._client.replace(LEASES, body)
        return self._epoch(term)

    def _epoch(self, term: int) -> str:
        """The identity tells terms apart even after somebody deleted the Lease."""
        return f"{term}-{self._identity}"

    def _may_take(self, name: str, spec: _Spec) -> bool:
        if not spec.holder_identity or spec.holder_identity == self._identity:
            return True
        known = self._others.get(name)
        if known is None or known[0] != spec:
            self._others[name] = (spec, self._monotonic())
            return False
        return self._monotonic() - known[1] > DURATION_SECONDS

    def _body(self, name: str, term: int) -> Body:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": DURATION_SECONDS,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": term,
            },
        }
