"""An image that can't be pulled: Kubernetes waits for ever, we say so and stop. Pure."""

from __future__ import annotations

from posthuman.api.conditions import seconds_between, timestamp
from posthuman.environments.verdict import Refusal
from posthuman.jobs.attempts import PULLING_FAILS, UNPULLABLE
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import Observed
from posthuman.jobs.steps import StepState


def unpullable(seen: Observed, draft: Draft, step: StepState) -> Refusal | None:
    """Why the step will never start, once its grace is over; until then the draft looks again."""
    if step.state != "Pending" or step.reason not in PULLING_FAILS:
        return None
    age = seconds_between(step.created_at, timestamp(draft.now)) if step.created_at else 0.0
    left = seen.settings.image_pull_grace_seconds - age
    if left > 0 and step.reason not in UNPULLABLE:
        draft.look_again(left)
        return None
    return Refusal(
        "ImagePullFailed",
        f"the image can't be pulled: {step.message or step.reason}. Check its name and digest, and "
        "whether the nodes may pull it",
    )
