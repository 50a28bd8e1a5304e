"""The status object of one job: upstream's twelve fields, and what upstream never told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from posthuman.api.conditions import find_condition
from posthuman.api.job import Attempt, ComputeJob, Phase
from posthuman.environments.capacity import older_waiting
from posthuman.gateway.manifests import ResultFile
from posthuman.gateway.ocean.status import (
    ANNOTATION_REMOVED,
    algorithm_id,
    epoch_text,
    head_of,
    input_ids,
    reason_of,
    stop_request,
)

WAITING = frozenset({None, Phase.PENDING, Phase.QUEUED})


def status_object(
    job: ComputeJob, results: Sequence[ResultFile], others: Sequence[ComputeJob]
) -> dict[str, Any]:
    """`others`: jobs beside which it waits, for its place in the queue."""
    return {
        **head_of(job),
        "dateFinished": epoch_text(job.status.finished_at),
        "results": _results(results),
        "stopreq": stop_request(job),
        "removed": int(job.metadata.annotations.get(ANNOTATION_REMOVED) == "true"),
        "algoDID": algorithm_id(job),
        "inputDID": input_ids(job),
        **_more(job, others),
    }


def _results(results: Sequence[ResultFile]) -> list[dict[str, Any]] | str:
    """Upstream's empty text where there are none."""
    listed = [
        {"filename": found.name, "filesize": found.size, "type": found.type, "index": index}
        for index, found in enumerate(results)
    ]
    return listed or ""


def _more(job: ComputeJob, others: Sequence[ComputeJob]) -> dict[str, Any]:
    why = find_condition(job.status.conditions, "Succeeded")
    facts: dict[str, Any] = {
        "environment": job.spec.environment_ref.name,
        "reason": reason_of(job),
        "message": why.message if why else "",
        "gpuSeconds": job.status.gpu_seconds,
        "terminationDetails": termination(job),
    }
    if job.status.progress is not None:
        facts["progress"] = msgspec.to_builtins(job.status.progress)
        facts["metrics"] = dict(job.status.progress.metrics)
    if job.status.phase in WAITING:
        here = [o for o in others if o.spec.environment_ref == job.spec.environment_ref]
        facts["queuePosition"] = queue_position(job, here)
    if job.status.asset is not None and job.status.asset.did:
        facts["assetDID"] = job.status.asset.did
    return facts


def termination(job: ComputeJob) -> dict[str, Any]:
    """As ocean-node tells it: of the last attempt, null while none has ended."""
    ended: list[Attempt] = [found for found in job.status.attempts if found.ended_at]
    if not ended:
        return {"OOMKilled": None, "exitCode": None}
    return {"OOMKilled": ended[-1].reason == "OOMKilled", "exitCode": ended[-1].exit_code}


def queue_position(job: ComputeJob, others: Sequence[ComputeJob]) -> int:
    """1 for the next. Before it is staged it stands behind all who aren't either."""
    if job.status.phase is Phase.QUEUED:
        return len(older_waiting(job, others)) + 1
    mine = (job.metadata.creation_timestamp, job.metadata.uid)
    waiting = [found for found in others if found.status.phase in (None, Phase.PENDING)]
    before = [f for f in waiting if (f.metadata.creation_timestamp, f.metadata.uid) < mine]
    return len(before) + 1
