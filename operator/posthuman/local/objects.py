"""An API server's manners in memory: resourceVersions, conflicts, finalizers, and whom to wake.

The laptop's Cluster (local/cluster.py) and the tests' fake stand on it, so both obey the rules that
the real API server enforces on kube/: a write at an old resourceVersion is refused.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import FINALIZER, Key, Meta
from posthuman.api.parse import Resource
from posthuman.errors import Conflict, NotFound
from posthuman.ports import NonceBook, OrderClaim

R = TypeVar("R", ComputeJob, ModelAsset, ComputeEnvironment)
Wake = Callable[[str, Key], None]
Now = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Objects:
    """The three kinds, Secrets, nonce books and claims of orders, by kind and key."""

    def __init__(self, wake: Wake | None = None, now: Now = _utc_now) -> None:
        self._objects: dict[tuple[str, Key], Resource] = {}
        self._secrets: dict[Key, Mapping[str, bytes]] = {}
        self._books: dict[tuple[int, str], NonceBook] = {}
        self._claims: dict[str, OrderClaim] = {}
        self._versions = itertools.count(1)
        self._wake = wake or (lambda _kind, _key: None)
        self._now = now

    def on_change(self, wake: Wake) -> None:
        """Call `wake(kind, key)` after each change."""
        self._wake = wake

    def find(self, kind: type[R], key: Key) -> R | None:
        """The stored object, or None."""
        found = self._objects.get((kind.__name__, key))
        return found if isinstance(found, kind) else None

    def all(self, kind: type[R]) -> list[R]:
        """Every object of a kind, oldest first."""
        return [found for found in self._objects.values() if isinstance(found, kind)]

    def all_keys(self) -> list[tuple[str, Key]]:
        """Kind and key of every object, oldest first."""
        return list(self._objects)

    def create(self, resource: R, uid: str = "") -> R:
        """Store a new object with a UID and no status. Raises Conflict if the name is taken."""
        kind, key = type(resource).__name__, resource.metadata.key
        if (kind, key) in self._objects:
            raise Conflict(f"{kind} {key} exists already", reason="AlreadyExists")
        meta = msgspec.structs.replace(
            resource.metadata,
            uid=uid or str(uuid.uuid4()),
            generation=1,
            creation_timestamp=timestamp(self._now()),
        )
        return self._store(msgspec.structs.replace(resource, metadata=meta))

    def write_status(self, resource: R) -> R:
        """Raises Conflict if it changed since `resource` was read, NotFound if it is gone."""
        current = self._current(resource)
        if current.metadata.resource_version != resource.metadata.resource_version:
            raise Conflict(f"{type(resource).__name__} {resource.metadata.key} has changed")
        return self._store(msgspec.structs.replace(current, status=resource.status))

    def write_spec(self, resource: R) -> R:
        """A person's edit: the generation rises."""
        current = self._current(resource)
        generation = current.metadata.generation + 1
        meta = msgspec.structs.replace(current.metadata, generation=generation)
        return self._store(msgspec.structs.replace(current, spec=resource.spec, metadata=meta))

    def annotate(self, resource: R, annotations: Mapping[str, str]) -> R:
        """Add annotations, or change them; the generation stays. Raises NotFound."""
        current = self._current(resource)
        merged = {**current.metadata.annotations, **annotations}
        return self._store(self._with_meta(current, annotations=merged))

    def set_finalizer(self, kind: type[R], key: Key, present: bool) -> None:
        """Add or drop our finalizer; a deleted object without one is gone."""
        current = self.find(kind, key)
        if current is None:
            return
        finalizers = (FINALIZER,) if present else ()
        self._settle(self._with_meta(current, finalizers=finalizers))

    def delete(self, kind: type[R], key: Key) -> None:
        """Mark as deleted; it goes once no finalizer holds it. Absent is done."""
        current = self.find(kind, key)
        if current is None or current.metadata.deletion_timestamp:
            return
        self._settle(self._with_meta(current, deletion_timestamp=timestamp(self._now())))

    def put_secret(self, key: Key, content: Mapping[str, bytes]) -> None:
        """Store a Secret's decoded data."""
        self._secrets[key] = dict(content)

    def secret(self, key: Key) -> Mapping[str, bytes]:
        """Raises NotFound."""
        if key not in self._secrets:
            raise NotFound(f"there is no Secret {key}", reason="SecretNotFound")
        return self._secrets[key]

    def nonce_book(self, chain_id: int, signer: str) -> NonceBook:
        """The signer's book; a new one where there is none."""
        return self._books.get((chain_id, signer), NonceBook())

    def save_nonce_book(self, chain_id: int, signer: str, book: NonceBook) -> None:
        """Compare-and-swap. Raises Conflict."""
        if self.nonce_book(chain_id, signer).version != book.version:
            raise Conflict(f"the nonces of {signer} have changed")
        version = str(next(self._versions))
        self._books[chain_id, signer] = msgspec.structs.replace(book, version=version)

    def order_claim(self, order_id: str) -> OrderClaim:
        """Who uses an order; an unused one where nobody ever did."""
        return self._claims.get(order_id, OrderClaim(order_id=order_id))

    def save_order_claim(self, claim: OrderClaim) -> None:
        """Compare-and-swap. Raises Conflict."""
        if self.order_claim(claim.order_id).version != claim.version:
            raise Conflict(f"the claim of order {claim.order_id} has changed")
        version = str(next(self._versions))
        self._claims[claim.order_id] = msgspec.structs.replace(claim, version=version)

    def _current(self, resource: R) -> R:
        current = self.find(type(resource), resource.metadata.key)
        if current is None:
            raise NotFound(f"{type(resource).__name__} {resource.metadata.key} is gone")
        return current

    @staticmethod
    def _with_meta(resource: R, **changes: object) -> R:
        meta: Meta = msgspec.structs.replace(resource.metadata, **changes)
        return msgspec.structs.replace(resource, metadata=meta)

    def _settle(self, resource: R) -> None:
        if resource.metadata.deletion_timestamp and not resource.metadata.finalizers:
            del self._objects[type(resource).__name__, resource.metadata.key]
            self._wake(type(resource).__name__, resource.metadata.key)
        else:
            self._store(resource)

    def _store(self, resource: R) -> R:
        stored = self._with_meta(resource, resource_version=str(next(self._versions)))
        self._objects[type(stored).__name__, stored.metadata.key] = stored
        self._wake(type(stored).__name__, stored.metadata.key)
        return stored
