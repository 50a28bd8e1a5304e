"""Whom a change concerns besides the object itself. Pure; controller and laptop both ask it."""

from __future__ import annotations

from collections.abc import Sequence

from posthuman.api.asset import ModelAsset
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import Key

FIRST_IN_LINE = 4  # each one that starts changes its status, which wakes the next ones


def woken_by_environment(jobs: Sequence[ComputeJob]) -> list[Key]:
    """An environment changed: its unfinished jobs look again."""
    return [job.metadata.key for job in jobs if job.status.phase not in FINISHED]


def woken_by_asset(asset: ModelAsset, jobs: Sequence[ComputeJob]) -> list[Key]:
    """The job that it came from, and jobs that wait for it as an input."""
    own = [asset.metadata.key] if asset.spec.job_uid else []
    return own + [job.metadata.key for job in jobs if _waits_for(job, asset)]


def woken_by_job(job: ComputeJob, jobs: Sequence[ComputeJob]) -> list[Key]:
    """A job changed: those first in line for a place look whether one is free now."""
    waiting = [found for found in jobs if found.status.phase in (Phase.PENDING, Phase.QUEUED)]
    waiting = [found for found in waiting if found.metadata.uid != job.metadata.uid]
    waiting.sort(key=lambda found: (found.metadata.creation_timestamp, found.metadata.uid))
    return [found.metadata.key for found in waiting[:FIRST_IN_LINE]]


def _waits_for(job: ComputeJob, asset: ModelAsset) -> bool:
    if job.status.phase not in (None, Phase.PENDING):
        return False
    references = [found.asset_ref for found in job.spec.inputs if found.asset_ref]
    if any(Key(found.namespace, found.name) == asset.metadata.key for found in references):
        return True
    return any(found.did and found.did == asset.status.did for found in job.spec.inputs)
