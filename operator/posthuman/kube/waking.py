"""Whom a change in the cache wakes: the object itself, and whom it concerns. Reads only."""

from __future__ import annotations

from collections.abc import Callable

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.jobs.waking import woken_by_asset, woken_by_environment, woken_by_job
from posthuman.kube.cache import Cache, Object
from posthuman.kube.seen import SeenJob, SeenPod

Wake = Callable[[str, Key], None]


def wake_for(cache: Cache, wake: Wake, kind: str, old: Object | None, new: Object | None) -> None:
    """An object came (`old` is None), changed, or went (`new` is None)."""
    found = new or old
    if isinstance(found, SeenJob | SeenPod):
        if found.metadata.compute_job:
            wake("ComputeJob", found.metadata.compute_job)
        return
    if found is not None:
        wake(kind, found.metadata.key)
    for key in _concerned(cache, old, new):
        wake("ComputeJob", key)
    if isinstance(new, ComputeEnvironment) and _matters(old, new):
        for asset in cache.assets.of(new.metadata.name):
            if not asset.status.published_at:
                wake("ModelAsset", asset.metadata.key)


def _concerned(cache: Cache, old: Object | None, new: Object | None) -> list[Key]:
    found = new or old
    if isinstance(found, ComputeJob) and _phase(old) != _phase(new):
        environment = found.spec.environment_ref.name
        return woken_by_job(found, cache.compute_jobs.of(environment))
    if isinstance(found, ModelAsset):
        environment = found.spec.environment_ref.name
        return woken_by_asset(found, cache.compute_jobs.of(environment))
    if isinstance(found, ComputeEnvironment) and _matters(old, new):
        return woken_by_environment(cache.compute_jobs.of(found.metadata.name))
    return []


def _phase(found: Object | None) -> object:
    return found.status.phase if isinstance(found, ComputeJob) else "absent"


def _matters(old: Object | None, new: Object | None) -> bool:
    """Counts in an environment's status change all the time; these are what jobs wait for."""
    return _standing(old) != _standing(new)


def _standing(found: Object | None) -> object:
    if not isinstance(found, ComputeEnvironment):
        return None
    metadata = found.metadata
    ready = is_true(found.status.conditions, "Ready")
    return (metadata.uid, metadata.generation, metadata.deletion_timestamp, ready)
