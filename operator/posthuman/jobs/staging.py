"""Staging: inputs come to the workspace before any GPU is taken. Pure part of decide()."""

from __future__ import annotations

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import Phase
from posthuman.assets.trust import unread_trust
from posthuman.environments.bought import bought, own_inputs, review_named
from posthuman.environments.capacity import room_to_stage
from posthuman.jobs.draft import Draft
from posthuman.jobs.observed import CreateAnchor, CreateStep, Observed
from posthuman.jobs.plans import anchor_of, wanted_stage
from posthuman.jobs.pulling import unpullable
from posthuman.jobs.running import CAPACITY_RECHECK_SECONDS, drop_private
from posthuman.jobs.steps import Role, StepState
from posthuman.jobs.waiting import queue_time_over


def stage(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """Make the anchor and the stage step, and follow it."""
    steps = seen.of_role(Role.STAGE)
    if steps and steps[-1].terminating:
        draft.wait(Phase.STAGING, "PodsEnding", "the last stage pod is ending")
    elif steps:
        _follow(seen, environment, draft, steps[-1])
    else:
        _first(seen, environment, draft)


def _first(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    waiting = None if seen.anchor else room_to_stage(seen.job, environment, seen.siblings)
    if waiting is not None:
        draft.wait_for(Phase.PENDING, waiting)
        draft.look_again(CAPACITY_RECHECK_SECONDS)
        queue_time_over(seen, environment, draft)
        return
    _begin(seen, environment, draft, attempt=1)


def _begin(seen: Observed, environment: ComputeEnvironment, draft: Draft, attempt: int) -> bool:
    """Whether the step is made."""
    changed = review_named(environment, bought(seen.job, own_inputs(seen.job)), seen.ddos)
    lacking = changed or unread_trust(seen.custody)
    if lacking is not None:  # a DDO isn't what it was when the job was accepted, or is out of reach
        draft.wait(Phase.PENDING, lacking.reason, lacking.message)
        draft.look_again(CAPACITY_RECHECK_SECONDS)
        queue_time_over(seen, environment, draft)
        return False
    if attempt == 1:  # what it lacks (a Secret, its turn at a provider) may never come
        queue_time_over(seen, environment, draft)
        if draft.status.outcome:
            return False
    anchor = anchor_of(seen.job, environment)
    if not seen.anchor:
        draft.do(CreateAnchor(anchor))
    draft.do(CreateStep(anchor, wanted_stage(seen, environment, attempt)))
    draft.update(work_namespace=environment.spec.work_namespace)
    count = len(seen.job.spec.inputs)
    draft.wait(Phase.STAGING, "Staging", f"bringing {count} input(s) to the workspace")
    return True


def _follow(seen: Observed, environment: ComputeEnvironment, draft: Draft, step: StepState) -> None:
    draft.update(work_namespace=environment.spec.work_namespace)
    if step.state == "Succeeded":
        draft.done("Staged", _staged(step))
        drop_private(seen, environment, draft, step)
    elif step.state == "Failed":
        _failed(seen, environment, draft, step)
    elif (failure := unpullable(seen, draft, step)) is not None:
        draft.settle("Failed", failure.reason, failure.message)
        drop_private(seen, environment, draft, step)
    else:
        reason, message = step.reason or "Staging", step.message or "bringing in the inputs"
        draft.wait(Phase.STAGING, reason, message)
        queue_time_over(seen, environment, draft)


def _staged(step: StepState) -> str:
    """With what the files themselves told of the models' needs."""
    told = "all inputs are in the workspace, their digests checked"
    estimate = step.report.details.get("estimate") if step.report else None
    return f"{told}; {estimate}" if isinstance(estimate, str) else told


def _failed(seen: Observed, environment: ComputeEnvironment, draft: Draft, step: StepState) -> None:
    """A wrong input fails the job; a fault of the place is tried again a few times."""
    drop_private(seen, environment, draft, step)
    report = step.report
    reason = (report.reason if report else "") or step.reason or "StagingFailed"
    message = (report.message if report else "") or step.message or "the stage pod failed"
    wrong_input = report is not None and report.user_error
    if wrong_input or step.attempt >= seen.settings.stage_tries:
        draft.condition("Staged", "False", reason, message)
        draft.settle("Failed", reason, message)
        return
    if _begin(seen, environment, draft, step.attempt + 1):
        draft.wait(Phase.STAGING, reason, f"{message}; trying again ({step.attempt + 1})")
