"""How long results are kept: limits.resultRetention of the environment, from a job's end. Pure.

What became an asset is kept: whoever bought it relies on it. A job that is deleted before takes
nothing with it: its results then stay, as nobody is left to say whose they are.
"""

from __future__ import annotations

from datetime import datetime

from posthuman.api.asset import ModelAsset
from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.api.quantities import parse_duration_seconds
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import DeleteResults, Observed
from posthuman.jobs.plans import results_prefix


def expire(seen: Observed, draft: Draft) -> bool:
    """Delete what is due; whether the job is done with its results, for now or for good."""
    results, environment = seen.job.status.results, seen.environment
    left = seconds_left(seen.job, environment, draft.now)
    if results is None or environment is None or left is None or draft.holds("Expired"):
        return True
    if left > 0:
        draft.look_again(left)
        return False
    if seen.results_kept_by or results.prefix != results_prefix(seen.job):
        return True
    limit = environment.spec.limits.result_retention
    draft.do(DeleteResults(environment, results.prefix))
    draft.condition(
        "Expired",
        "True",
        "RetentionOver",
        f"its results were deleted, {limit} after its end, as the environment's resultRetention "
        "says",
    )
    return True


def seconds_left(
    job: ComputeJob, environment: ComputeEnvironment | None, now: datetime
) -> float | None:
    """Until the results may go; None where they stay."""
    limit = environment.spec.limits.result_retention if environment else ""
    over = job.status.phase in FINISHED and job.status.finished_at
    if not limit or not over or job.status.results is None:
        return None
    age = seconds_between(job.status.finished_at, timestamp(now))
    return parse_duration_seconds(limit) - age


def points_into(asset: ModelAsset, prefix: str) -> bool:
    """Whether an asset's files are those below `prefix`."""
    return f"{asset.spec.source.prefix.rstrip('/')}/".startswith(f"{prefix.rstrip('/')}/")
