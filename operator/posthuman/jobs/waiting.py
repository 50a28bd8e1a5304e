"""How long a job may wait for its turn. Pure."""

from __future__ import annotations

from posthuman.api.conditions import find_condition, seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.quantities import parse_duration_seconds
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import Observed


def queue_time_over(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """Past limits.maxQueueTime the job fails, with what it waited for; until then look again."""
    limit = environment.spec.limits.max_queue_time
    left = parse_duration_seconds(limit) - _waited_seconds(seen, draft)
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


def _waited_seconds(seen: Observed, draft: Draft) -> float:
    """Since it last had what it wanted: its last attempt, or (suspended) nothing at all."""
    resumed = find_condition(draft.status.conditions, "Suspended")
    moments = [
        seen.job.metadata.creation_timestamp,
        resumed.last_transition_time if resumed else "",
        *(attempt.ended_at for attempt in draft.status.attempts),
    ]
    now = timestamp(draft.now)
    return min((seconds_between(moment, now) for moment in moments if moment), default=0.0)
