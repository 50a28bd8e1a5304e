"""The gateway's JobAccess over this machine's objects: a purchase is tried without a cluster.

Nobody has a bearer token here, so only wallets and providers are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from posthuman.api.admission import admit
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.api.meta import Key
from posthuman.api.parse import dump, parse
from posthuman.errors import Conflict, NotFound
from posthuman.gateway.ports import Person
from posthuman.local.layout import layout_of
from posthuman.local.objects import Objects

PIECE_BYTES = 64 * 1024
LOOK_SECONDS = 0.5


class LocalAccess:
    """Implements posthuman.gateway.ports.JobAccess."""

    def __init__(self, objects: Objects, workdir: Path) -> None:
        self._objects = objects
        self._workdir = workdir
        self._nonces: dict[str, tuple[str, float]] = {}

    async def ready(self) -> bool:
        """There is nothing to be reached."""
        return True

    def environments(self) -> Sequence[ComputeEnvironment]:
        """All of them."""
        return self._objects.all(ComputeEnvironment)

    def jobs(self) -> Sequence[ComputeJob]:
        """All of them: one machine has one person's jobs."""
        return self._objects.all(ComputeJob)

    def seen_job(self, key: Key) -> ComputeJob | None:
        """The job, or None."""
        return self._objects.find(ComputeJob, key)

    def assets(self) -> Sequence[ModelAsset]:
        """All of them."""
        return self._objects.all(ModelAsset)

    async def job(self, key: Key) -> ComputeJob | None:
        """The job, or None."""
        return self._objects.find(ComputeJob, key)

    async def create_job(self, job: ComputeJob) -> ComputeJob:
        """Admitted as a cluster admits it. Raises Conflict, UserError."""
        body = msgspec.json.decode(msgspec.json.encode(dump(job)))  # as it would travel
        return self._objects.create(parse(admit(body), ComputeJob))

    async def create_secret(
        self, key: Key, content: Mapping[str, bytes], labels: Mapping[str, str], nonce_digest: str
    ) -> None:
        """Kept as long as this process lives, as all objects here are."""
        self._objects.put_secret(key, content)

    async def own_secret(self, key: Key, job: ComputeJob) -> None:
        """Nothing outlives the process."""

    async def patch_job(
        self,
        job: ComputeJob,
        *,
        stop: bool | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ComputeJob:
        """Raises Conflict, NotFound."""
        found = self._objects.find(ComputeJob, job.metadata.key)
        if found is None:
            raise NotFound(f"ComputeJob {job.metadata.key} is gone")
        if found.metadata.resource_version != job.metadata.resource_version:
            raise Conflict(f"ComputeJob {job.metadata.key} has changed")
        if annotations:
            found = self._objects.annotate(found, annotations)
        if stop is not None:
            spec = msgspec.structs.replace(found.spec, stop=stop)
            found = self._objects.write_spec(msgspec.structs.replace(found, spec=spec))
        return found

    async def delete_job(self, key: Key) -> None:
        """Absent is done."""
        self._objects.delete(ComputeJob, key)

    async def use_nonce(self, digest: str, request_digest: str, expires_at: float) -> str:
        """For as long as this process lives."""
        return self._nonces.setdefault(digest, (request_digest, expires_at))[0]

    async def expired_nonces(self, now: float) -> Sequence[str]:
        """Digests of nonces that no request can use any more."""
        return [digest for digest, (_, expires_at) in self._nonces.items() if expires_at < now]

    async def forget_nonce(self, digest: str) -> None:
        """Absent is done."""
        self._nonces.pop(digest, None)

    async def review_token(self, token: str) -> Person | None:
        """A laptop knows nobody."""
        return None

    async def may(self, person: Person, verb: str, kind: str, namespace: str) -> bool:
        """And so nobody may anything by a token."""
        return False

    async def live_log(self, job: ComputeJob, follow: bool) -> AsyncIterator[bytes]:
        """What lies in the workspace, and with `follow` what comes until the job ends. Raises
        NotFound."""
        log = layout_of(self._workdir, job.metadata.key).workspace / "logs" / "algorithm.log"
        if not log.exists():
            raise NotFound(f"no process of {job.metadata.key} runs")
        with log.open("rb") as file:
            while True:
                over = not follow or self._is_over(job.metadata.key)
                while piece := file.read(PIECE_BYTES):
                    yield piece
                if over:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    def _is_over(self, key: Key) -> bool:
        job = self._objects.find(ComputeJob, key)
        return job is None or job.status.phase in FINISHED
