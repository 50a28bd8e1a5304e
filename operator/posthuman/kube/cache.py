"""What the watches have shown so far: our three kinds, and the Jobs and pods of our label.

Memory only, and it may be lost: it is filled again from lists. The watch events and the answers to
our own writes come in any order, so an object is replaced only by a newer resourceVersion of the
same UID (since Kubernetes 1.35 these are promised to be comparable numbers; they always were), and
what was seen deleted does not come back.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.api.parse import parse
from posthuman.errors import UserError
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.seen import SeenJob, SeenPod, seen_job, seen_pod

logger = logging.getLogger(__name__)

MAX_TOMBSTONES = (
    10_000  # UIDs of deleted objects; far more than are deleted within a request's time
)


class Metadata(Protocol):
    """What the cache needs of any object's metadata."""

    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...
    @property
    def key(self) -> Key: ...


class Object(Protocol):
    """A typed object."""

    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=Object)
OnChange = Callable[[str, Object | None, Object | None], None]


class Shelf(Generic[T]):
    """The objects of one kind, with one index."""

    def __init__(
        self,
        read: Callable[[Mapping[str, Any]], T],
        index: Callable[[T], str],
        changed: Callable[[T | None, T | None], None],
    ) -> None:
        self._read = read
        self._index = index
        self._changed = changed
        self._objects: dict[Key, T] = {}
        self._indexed: dict[str, dict[Key, T]] = {}
        self._tombstones: OrderedDict[str, None] = OrderedDict()

    def get(self, key: Key) -> T | None:
        """The newest seen."""
        return self._objects.get(key)

    def all(self) -> list[T]:
        """In the order they were first seen."""
        return list(self._objects.values())

    def of(self, value: str) -> list[T]:
        """Those with this value of the index."""
        return list(self._indexed.get(value, {}).values())

    def apply(self, body: Mapping[str, Any]) -> bool:
        """Take in what a watch or the answer to a write shows; False for what is old."""
        try:
            found = self._read(body)
        except (UserError, msgspec.ValidationError):
            name = body.get("metadata", {}).get("name")
            logger.exception("%s %s can't be read and is left out", body.get("kind"), name)
            return False
        old = self._objects.get(found.metadata.key)
        if found.metadata.uid in self._tombstones or (old and not _newer(found, old)):
            return False
        self._put(found)
        self._changed(old, found)
        return True

    def discard(self, body: Mapping[str, Any]) -> None:
        """Take in a deletion; nothing happens if another object has the name by now."""
        metadata = body["metadata"]
        self._bury(metadata["uid"])
        key = Key(metadata.get("namespace", ""), metadata["name"])
        old = self._objects.get(key)
        if old is not None and old.metadata.uid == metadata["uid"]:
            self._take(key)

    def keep_only(self, bodies: Iterable[Mapping[str, Any]], version: str) -> None:
        """Drop what a complete list of that version doesn't show."""
        listed = {body["metadata"]["uid"] for body in bodies}
        ghosts = [
            found
            for found in self._objects.values()
            if found.metadata.uid not in listed and _number(found) <= int(version)
        ]
        for ghost in ghosts:
            self._bury(ghost.metadata.uid)
            self._take(ghost.metadata.key)

    def _put(self, found: T) -> None:
        key = found.metadata.key
        if key in self._objects:
            self._unindex(self._objects[key])
        self._objects[key] = found
        self._indexed.setdefault(self._index(found), {})[key] = found

    def _take(self, key: Key) -> None:
        old = self._objects.pop(key)
        self._unindex(old)
        self._changed(old, None)

    def _unindex(self, old: T) -> None:
        value = self._index(old)
        group = self._indexed[value]
        del group[old.metadata.key]
        if not group:
            del self._indexed[value]

    def _bury(self, uid: str) -> None:
        self._tombstones[uid] = None
        while len(self._tombstones) > MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)


def _number(found: Object) -> int:
    return int(found.metadata.resource_version or "0")


def _newer(found: Object, old: Object) -> bool:
    return _number(found) > _number(old)


class Cache:
    """A shelf a kind. `on_change(kind, old, new)` is told of every object that came, changed, went:
    one place for whatever must happen then, whether a watch or the answer to a write showed it."""

    def __init__(self, on_change: OnChange, unseen: UnseenWrites) -> None:
        self._on_change = on_change
        self._unseen = unseen
        self.compute_jobs: Shelf[ComputeJob] = Shelf(
            partial(parse, kind=ComputeJob),
            lambda job: job.spec.environment_ref.name,
            partial(on_change, "ComputeJob"),
        )
        self.assets: Shelf[ModelAsset] = Shelf(
            partial(parse, kind=ModelAsset),
            lambda asset: asset.spec.environment_ref.name,
            partial(on_change, "ModelAsset"),
        )
        self.environments: Shelf[ComputeEnvironment] = Shelf(
            partial(parse, kind=ComputeEnvironment),
            lambda environment: "",
            partial(on_change, "ComputeEnvironment"),
        )
        self.jobs: Shelf[SeenJob] = Shelf(
            seen_job, lambda job: job.metadata.job_uid, self._job_changed
        )
        self.pods: Shelf[SeenPod] = Shelf(
            seen_pod, lambda pod: pod.metadata.job_uid, self._pod_changed
        )
        self._gone: dict[Key, dict[Key, SeenPod]] = {}  # step's Job → pods that were deleted
        self.shelves: Mapping[str, Shelf[Any]] = {
            "ComputeJob": self.compute_jobs,
            "ModelAsset": self.assets,
            "ComputeEnvironment": self.environments,
            "Job": self.jobs,
            "Pod": self.pods,
        }

    def answered(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in the answer to a write of our own; its watch must show it soon."""
        self._unseen.wrote(kind, body["metadata"]["resourceVersion"])
        self.shelves[kind].apply(body)

    def read(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in what was read in person."""
        self.shelves[kind].apply(body)

    def watched(self, kind: str, body: Mapping[str, Any], deleted: bool) -> None:
        """Take in a watch event; a deletion shows the object as it was last."""
        self._unseen.saw(kind, body["metadata"]["resourceVersion"])
        self.shelves[kind].apply(body)
        if deleted:
            self.shelves[kind].discard(body)

    def listed(self, kind: str, bodies: Sequence[Mapping[str, Any]], version: str) -> None:
        """Take in a complete list: what it doesn't show is gone, whatever the watch missed."""
        for body in bodies:
            self.shelves[kind].apply(body)
        self.shelves[kind].keep_only(bodies, version)
        self._unseen.saw(kind, version)

    def pods_of(self, job: SeenJob) -> list[SeenPod]:
        """The pods of a step, those that were deleted included."""
        found = [
            *self.pods.of(job.metadata.job_uid),
            *self._gone.get(job.metadata.key, {}).values(),
        ]
        return [pod for pod in found if pod.job_key == job.metadata.key]

    def _job_changed(self, old: SeenJob | None, new: SeenJob | None) -> None:
        if old and not new:
            self._gone.pop(old.metadata.key, None)
        self._on_change("Job", old, new)

    def _pod_changed(self, old: SeenPod | None, new: SeenPod | None) -> None:
        """A pod's last words are kept as long as its Job: they say why the step failed."""
        if old and not new and self.jobs.get(old.job_key):
            gone = msgspec.structs.replace(old, gone=True)
            self._gone.setdefault(old.job_key, {})[old.metadata.key] = gone
        self._on_change("Pod", old, new)
