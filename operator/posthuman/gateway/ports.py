"""What the gateway needs of the world: kube/ implements it for a cluster, tests/fakes in memory.

Reads come from a watch's cache, so that a thousand pollers cost the API server nothing. Every
method may raise TransientError (answered with 503 and Retry-After).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a bearer token belongs to, as Kubernetes says (TokenReview)."""

    username: str
    groups: tuple[str, ...] = ()


class JobAccess(Protocol):
    """ComputeJobs and what they need, with the gateway's own few rights."""

    async def ready(self) -> bool:
        """Whether the caches are filled and the API server answers."""

    def environments(self) -> Sequence[ComputeEnvironment]: ...
    def jobs(self) -> Sequence[ComputeJob]:
        """Of the gateway's namespaces, from the cache; what this replica wrote is in it at once."""

    def seen_job(self, key: Key) -> ComputeJob | None:
        """One of `jobs`, from the cache: a poll neither searches a list nor asks the API server."""

    def assets(self) -> Sequence[ModelAsset]: ...
    async def job(self, key: Key) -> ComputeJob | None:
        """Read from the API server itself."""

    async def create_job(self, job: ComputeJob) -> ComputeJob:
        """Raises Conflict when a job of that name exists; UserError when it is refused."""

    async def create_secret(
        self,
        key: Key,
        content: Mapping[str, bytes],
        labels: Mapping[str, str],
        nonce_digest: str,
    ) -> None:
        """What exists already is left as it is. It goes when that nonce is forgotten, unless a job
        owns it by then: a request that broke off before its job was made leaves no secrets."""

    async def own_secret(self, key: Key, job: ComputeJob) -> None:
        """The Secret goes when the job goes, and not before; absent is done."""

    async def patch_job(
        self,
        job: ComputeJob,
        *,
        stop: bool | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> ComputeJob:
        """At the resourceVersion it was read; raises Conflict, NotFound."""

    async def delete_job(self, key: Key) -> None: ...
    async def use_nonce(self, digest: str, request_digest: str, expires_at: float) -> str:
        """Record that this nonce belongs to this request: the digest of the request that it belongs
        to, which is another one where somebody was first. Survives restarts, holds for all
        replicas. For a request without a signature a random digest does."""

    async def expired_nonces(self, now: float) -> Sequence[str]:
        """Digests of nonces that no request can use any more."""

    async def forget_nonce(self, digest: str) -> None:
        """And with it go the secrets that only it holds; absent is done."""

    async def review_token(self, token: str) -> Person | None: ...
    async def may(self, person: Person, verb: str, kind: str, namespace: str) -> bool:
        """SubjectAccessReview; `kind` is one of ours, as ComputeJob. Asked anew each time."""

    def live_log(self, job: ComputeJob, follow: bool) -> AsyncIterator[bytes]:
        """What the algorithm of a running job has written so far (rank 0's pod); raises NotFound
        where no pod of it is there."""


class Files(Protocol):
    """One environment's store, for reading results."""

    async def check(self) -> None:
        """A round trip that reads, and writes nothing. Raises TransientError."""

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        """Raises NotFound, UserError."""

    async def size(self, key: str) -> int:
        """Bytes. Raises NotFound."""

    def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The object's bytes from `start` up to `end`, in pieces of at most 1 MiB: memory stays
        flat however many read."""


class FilesOf(Protocol):
    """Opens an environment's store."""

    async def __call__(self, environment: ComputeEnvironment) -> Files:
        """Raises NotFound, UserError."""
