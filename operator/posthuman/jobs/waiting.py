"""How long a job may wait for its turn. Pure."""

from __future__ import annotations

from posthuman.api.conditions import find_condition, seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.quantities import parse_duration_seconds
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import Observed


def queue_time_over(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """Past limits.maxQueueTime the job fails, with what it waited for; until then look again."""
    since = seen.job.metadata.creation_timestamp
    limit = environment.spec.limits.max_queue_time
    waited = seconds_between(since, timestamp(draft.now)) if since else 0.0
    left = parse_duration_seconds(limit) - waited
    if left > 0:
        draft.look_again(left)
        return
    why = find_condition(draft.status.conditions, "Succeeded")
    draft.settle(
        "Failed",
        "QueueTimeout",
        f"waited longer than the environment's maxQueueTime of {limit}: "
        f"{why.message if why else 'no reason known'}",
    )
