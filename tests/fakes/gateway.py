"""The gateway's ports in memory: the suites that run on it run on the real API server too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from jobkit.manifest import MANIFEST_NAME, Manifest, decode_manifest, digest_of
from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.errors import Conflict, NotFound, TransientError, UserError
from posthuman.gateway.ports import Person
from tests.builders import HeldClock


class KeptSecret(msgspec.Struct):
    """A Secret, and what it goes with: a nonce's digest, then a job's UID."""

    content: Mapping[str, bytes]
    labels: Mapping[str, str]
    owner: str


class FakeAccess:
    """One API server; several gateways may share it. `down`: it can't be reached."""

    def __init__(self, clock: HeldClock | None = None) -> None:
        self.clock = clock or HeldClock()
        self.down = False
        self.all_jobs: dict[Key, ComputeJob] = {}
        self.all_environments: dict[str, ComputeEnvironment] = {}
        self.all_assets: dict[Key, ModelAsset] = {}
        self.secrets: dict[Key, KeptSecret] = {}
        self.nonces: dict[str, tuple[str, float]] = {}
        self.people: dict[str, Person] = {}
        self.allowed: set[tuple[str, str, str, str]] = set()  # username, verb, kind, namespace
        self.logs: dict[str, list[bytes]] = {}  # by job UID
        self.writes = 0
        self._version = 0

    async def ready(self) -> bool:
        return not self.down

    def environments(self) -> Sequence[ComputeEnvironment]:
        return list(self.all_environments.values())

    def jobs(self) -> Sequence[ComputeJob]:
        return list(self.all_jobs.values())

    def seen_job(self, key: Key) -> ComputeJob | None:
        return self.all_jobs.get(key)

    def assets(self) -> Sequence[ModelAsset]:
        return list(self.all_assets.values())

    async def job(self, key: Key) -> ComputeJob | None:
        await self._reach()
        return self.all_jobs.get(key)

    async def create_job(self, job: ComputeJob) -> ComputeJob:
        await self._reach(write=True)
        if job.metadata.key in self.all_jobs:
            raise Conflict(f"{job.metadata.key} exists", "AlreadyExists")
        return self._put(
            job,
            uid=f"uid-{self._version:08d}",
            generation=1,
            creation_timestamp=timestamp(self.clock.now()),
        )

    async def create_secret(
        self,
        key: Key,
        content: Mapping[str, bytes],
        labels: Mapping[str, str],
        nonce_digest: str,
    ) -> None:
        await self._reach(write=True)
        self.secrets.setdefault(key, KeptSecret(content, labels, nonce_digest))

    async def own_secret(self, key: Key, job: ComputeJob) -> None:
        await self._reach(write=True)
        if key in self.secrets:
            self.secrets[key].owner = job.metadata.uid

    async def patch_job(
        self,
        job: ComputeJob,
        *,
        stop: bool | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ComputeJob:
        await self._reach(write=True)
        found = self.all_jobs.get(job.metadata.key)
        if found is None:
            raise NotFound(f"{job.metadata.key} is gone")
        if found.metadata.resource_version != job.metadata.resource_version:
            raise Conflict(f"{job.metadata.key} changed")
        spec = found.spec if stop is None else msgspec.structs.replace(found.spec, stop=stop)
        merged = {**found.metadata.annotations, **(annotations or {})}
        return self._put(msgspec.structs.replace(found, spec=spec), annotations=merged)

    async def delete_job(self, key: Key) -> None:
        await self._reach(write=True)
        gone = self.all_jobs.pop(key, None)
        if gone:
            self._collect(gone.metadata.uid)

    async def use_nonce(self, digest: str, request_digest: str, expires_at: float) -> str:
        await self._reach(write=True)
        return self.nonces.setdefault(digest, (request_digest, expires_at))[0]

    async def expired_nonces(self, now: float) -> Sequence[str]:
        await self._reach()
        return [digest for digest, (_, expires_at) in self.nonces.items() if expires_at < now]

    async def forget_nonce(self, digest: str) -> None:
        await self._reach(write=True)
        self.nonces.pop(digest, None)
        self._collect(digest)

    async def review_token(self, token: str) -> Person | None:
        await self._reach()
        return self.people.get(token)

    async def may(self, person: Person, verb: str, kind: str, namespace: str) -> bool:
        await self._reach()
        return (person.username, verb, kind, namespace) in self.allowed

    async def live_log(self, job: ComputeJob, follow: bool) -> AsyncIterator[bytes]:
        await self._reach()
        if job.metadata.uid not in self.logs:
            raise NotFound(f"no pod of {job.metadata.key} runs")
        for line in self.logs[job.metadata.uid]:
            yield line

    def advance(self, job: ComputeJob, **status: object) -> ComputeJob:
        """The operator's part: a status write."""
        found = self.all_jobs[job.metadata.key]
        changed = msgspec.structs.replace(found.status, **status)
        return self._put(msgspec.structs.replace(found, status=changed))

    def add_environment(self, environment: ComputeEnvironment) -> None:
        self.all_environments[environment.metadata.name] = environment

    def _put(self, job: ComputeJob, **metadata: object) -> ComputeJob:
        self._version += 1
        meta = msgspec.structs.replace(
            job.metadata, resource_version=str(self._version), **metadata
        )
        stored = msgspec.structs.replace(job, metadata=meta)
        self.all_jobs[meta.key] = stored
        return stored

    def _collect(self, owner: str) -> None:
        for key in [key for key, secret in self.secrets.items() if secret.owner == owner]:
            del self.secrets[key]

    async def _reach(self, write: bool = False) -> None:
        await asyncio.sleep(0)  # others get their turn, as over a network
        if self.down:
            raise TransientError("the API server can't be reached", "ApiServerUnreachable")
        self.writes += write


class FakeFiles:
    """One store; `objects` is the content by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.down = False
        self.reads = 0

    async def check(self) -> None:
        self._reach()

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        raw = self._get(f"{prefix.rstrip('/')}/{MANIFEST_NAME}")
        try:
            return decode_manifest(raw), digest_of(raw)
        except msgspec.MsgspecError as error:
            raise UserError(f"the manifest below {prefix} is none") from error

    async def size(self, key: str) -> int:
        return len(self._get(key))

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        content = self._get(key)[start:end]
        for offset in range(0, len(content), 4096):
            yield content[offset : offset + 4096]

    def _get(self, key: str) -> bytes:
        self._reach()
        if key not in self.objects:
            raise NotFound(f"the store has no object {key!r}")
        return self.objects[key]

    def _reach(self) -> None:
        self.reads += 1
        if self.down:
            raise TransientError("the store can't be reached")


class FakeFilesOf:
    """Every environment's store, by its name."""

    def __init__(self) -> None:
        self.stores: dict[str, FakeFiles] = {}

    async def __call__(self, environment: ComputeEnvironment) -> FakeFiles:
        return self.stores.setdefault(environment.metadata.name, FakeFiles())
