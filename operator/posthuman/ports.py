"""What the core needs of the world. Adapters in kube/, store/, ledger/ and local/ implement these.

Every method is a coroutine and may raise TransientError (look again); what else it raises is said.
Each port has one contract suite in tests/contracts/, run on its fake and on every real adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from jobkit.manifest import Manifest
from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.jobs.steps import Anchor, Private, Step, StepState


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""


class NonceBook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The nonces of one signer on one chain: the next free one, and who holds which unresolved one.

    `reserved` maps "<publicationId>/<step>" to its nonce until that step is confirmed. `fillers`
    maps a nonce that nobody will use to the signed bytes of a transfer to oneself.
    """

    next_nonce: int = -1  # -1: never used, ask the chain
    reserved: dict[str, int] = {}
    fillers: dict[int, str] = {}
    version: str = ""  # resourceVersion it was read at


class OrderClaim(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who uses an order. While `holder_uid` names an unfinished job no other may start on it."""

    order_id: str  # order_id() in environments/purchase.py
    holder: Key = Key("", "")
    holder_uid: str = ""  # empty: nobody
    held_since: str = ""
    paid_by: str = ""  # the transaction that the holder named: the order's, or a reuse's
    used_seconds: dict[str, float] = {}  # by jobs that held it before; by transaction that paid
    version: str = ""  # resourceVersion it was read at; empty: not there yet


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an object's story (a Kubernetes Event)."""

    kind: Literal["ComputeJob", "ModelAsset", "ComputeEnvironment"]
    key: Key
    uid: str
    reason: str
    message: str
    warning: bool = False


class Cluster(Protocol):
    """The API server and what runs behind it; `local/` plays it with processes and a folder.

    Reads may come from a cache that lags: creating what exists raises nothing (names are
    deterministic, "already exists" means done), and absence is confirmed where it matters.
    """

    async def job(self, key: Key, fresh: bool = False) -> ComputeJob | None:
        """`fresh`: read from the world itself and never from a cache."""

    async def asset(self, key: Key, fresh: bool = False) -> ModelAsset | None:
        """`fresh`: read from the world itself and never from a cache."""

    async def environment(self, name: str) -> ComputeEnvironment | None: ...
    async def environment_names(self) -> Sequence[str]: ...
    async def jobs_of(self, environment: str) -> Sequence[ComputeJob]:
        """Every job, in any namespace, that names this environment."""

    async def assets_of(self, environment: str) -> Sequence[ModelAsset]:
        """Every asset, in any namespace, that names this environment."""

    async def anchor_exists(self, namespace: str, name: str) -> bool: ...
    async def steps(self, namespace: str, job_uid: str) -> Sequence[StepState]:
        """The job's steps in the work namespace, with what their pods say."""

    async def step(self, namespace: str, name: str) -> StepState | None:
        """One step, read from the world itself and never from a cache."""

    async def create_anchor(self, anchor: Anchor) -> None: ...
    async def delete_anchor(self, namespace: str, name: str) -> None:
        """Delete it and, in the foreground, everything it owns; absent is done."""

    async def strays(self, job: Key) -> Sequence[Key]:
        """Anchors of jobs that had this key and are no more, whose steps are still there."""

    async def create_step(self, anchor: Anchor, step: Step) -> None: ...
    async def delete_step(self, namespace: str, name: str, grace_seconds: float) -> None: ...
    async def create_asset(self, asset: ModelAsset) -> None:
        """Raises Conflict when an asset of that name exists."""

    async def write_job(self, job: ComputeJob) -> None:
        """Write the status at the resourceVersion it was read; raises Conflict."""

    async def write_asset(self, asset: ModelAsset) -> ModelAsset:
        """The same for an asset; returns it as stored, with its new resourceVersion."""

    async def write_environment(self, environment: ComputeEnvironment) -> None: ...
    async def set_finalizer(self, kind: str, key: Key, present: bool) -> None: ...
    async def delete_asset(self, key: Key) -> None: ...
    async def delete_job(self, key: Key) -> None: ...
    async def emit(self, event: JobEvent) -> None:
        """Best effort: a story line that can't be told is logged, nothing more."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Raises NotFound, SecretForbidden."""

    async def job_secret(self, job: Key, name: str) -> Mapping[str, bytes]:
        """A Secret of the job's namespace that is marked for jobs, or for this one. Raises NotFound
        (SecretNotFound, and SecretNotForJobs without the mark), SecretForbidden."""

    async def put_private(self, anchor: Anchor, private: Private) -> None:
        """Make a Secret that the anchor owns; one of that name is replaced."""

    async def delete_private(self, namespace: str, name: str) -> None:
        """Absent is done."""

    async def take_turn(self, anchor: Anchor, name: str) -> bool:
        """Whether the anchor's job is the one that holds this name in the work namespace: until
        `end_turn`, or until its anchor goes."""

    async def end_turn(self, anchor: Anchor, name: str) -> None:
        """If it is the job's; else nothing."""

    async def namespace_prepared(self, name: str) -> bool:
        """Whether the chart prepared this work namespace (it carries the chart's label)."""

    async def nonce_book(self, chain_id: int, signer: str) -> NonceBook: ...
    async def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
        """Compare-and-swap on `book.version`; raises Conflict."""

    async def order_claim(self, order_id: str) -> OrderClaim:
        """Read from the world itself and never from a cache; an unused one if there is none."""

    async def save_order_claim(self, claim: OrderClaim) -> None:
        """Create it, or compare-and-swap on `claim.version`; raises Conflict."""

    async def hold_lease(self, name: str) -> str:
        """Acquire or renew the Lease: the epoch, which no other term of any process has; "" while
        another process holds it."""


class ResultStore(Protocol):
    """One environment's store (s3:// or file://), below its prefix. Keys are relative to it."""

    async def check(self) -> None:
        """A round trip that proves the store can be reached with its credentials."""

    async def manifest(self, prefix: str) -> tuple[Manifest, str]:
        """`<prefix>/manifest.json` and its digest. Raises NotFound, UserError if it is none."""

    async def put(self, key: str, content: bytes) -> None: ...
    async def get(self, key: str) -> bytes:
        """Raises NotFound."""

    async def delete_prefix(self, prefix: str) -> None:
        """Every object below `<prefix>/`; none is done. What goes last is its manifest."""

    async def size(self, key: str) -> int:
        """Bytes of an object. Raises NotFound."""

    async def sha256(self, key: str) -> str:
        """64 hex digits, of an object of any size, read in pieces. Raises NotFound."""
