"""Running: one attempt at a time, sealed, within its timeout. Pure part of decide()."""

from __future__ import annotations

import msgspec

from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import Attempt, Phase, Progress
from posthuman.environments.capacity import room_to_run
from posthuman.jobs.attempts import (
    closed,
    failure,
    may_retry,
    open_attempt,
    opened,
    revised,
    running_seconds,
)
from posthuman.jobs.draft import Draft
from posthuman.jobs.limits import running_limit
from posthuman.jobs.observed import CreateStep, DeleteStep, DropPrivate, Observed
from posthuman.jobs.plans import anchor_of, grace_seconds, step_name, wanted_run
from posthuman.jobs.pulling import unpullable
from posthuman.jobs.sources import named_elsewhere, private_files
from posthuman.jobs.steps import Role, StepState
from posthuman.jobs.waiting import queue_time_over

CAPACITY_RECHECK_SECONDS = 60.0  # a freed place wakes the first in line; this is the safety net


def run(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """Follow the open attempt, or begin one when there is room."""
    attempt = open_attempt(draft.status)
    if attempt is None:
        _begin(seen, environment, draft)
        return
    step = _step_of(seen, attempt)
    if step is None:
        _unseen(seen, environment, draft, attempt)
    elif step.state in ("Succeeded", "Failed"):
        _ended(seen, draft, attempt, step)
    else:
        _follow(seen, environment, draft, attempt, step)


def halt(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    """`stop` ends the job, its logs kept; `suspend` only ends what runs, and costs no retry."""
    reason = "Stopped" if seen.job.spec.stop else "Suspended"
    attempt = open_attempt(draft.status)
    if attempt is not None:
        over = msgspec.structs.replace(attempt, reason=reason, counts=False)
        step = _step_of(seen, attempt)
        draft.status = closed(seen.job, draft.status, over, step, draft.now)
    if seen.job.spec.stop:
        draft.settle("Stopped", "Stopped", "stopped as spec.stop asks")
        return
    # The closed attempt is stored first.
    alive = end_pods(seen, environment, draft) if attempt is None else 1
    message = f"{alive} pod(s) are ending" if alive else "set spec.suspend to false to go on"
    draft.condition("Suspended", "True", "Suspended", "as spec.suspend asks")
    draft.wait(Phase.SUSPENDED, "Suspended", message)


def end_pods(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> int:
    """Ask every stage and run step that lives to end; how many pods still do."""
    for step in _living(seen):
        if not step.terminating:
            draft.do(DeleteStep(seen.work_namespace, step.name, grace_seconds(environment)))
            drop_private(seen, environment, draft, step)
    return living_pods(seen)


def drop_private(
    seen: Observed, environment: ComputeEnvironment, draft: Draft, step: StepState
) -> None:
    """What the stage step alone was given goes when it ends."""
    job = seen.job
    if step.role is Role.STAGE and (private_files(job) or named_elsewhere(job)):
        draft.do(DropPrivate(anchor_of(job, environment), step.name, environment))


def living_pods(seen: Observed) -> int:
    """Pods of stage and run steps that may still be doing something."""
    return sum(max(1, step.live_pods) for step in _living(seen))


def _living(seen: Observed) -> list[StepState]:
    return [
        step
        for step in seen.steps
        if step.role in (Role.STAGE, Role.RUN)
        and (step.live_pods or step.state in ("Pending", "Running"))
    ]


def _begin(seen: Observed, environment: ComputeEnvironment, draft: Draft) -> None:
    number = len(draft.status.attempts) + 1
    steps = seen.of_role(Role.RUN)
    if any(step.attempt == number for step in steps):
        draft.status = opened(draft.status, draft.now)  # made by a pass that died before its write
        run(seen, environment, draft)
        return
    alive = sum(step.live_pods for step in steps)
    if alive:
        draft.wait(Phase.QUEUED, "AttemptEnding", f"{alive} pod(s) of the last attempt still end")
        return
    if not seen.anchor:
        draft.settle("Failed", "WorkspaceLost", "its inputs were deleted by somebody else")
        return
    waiting = room_to_run(seen.job, environment, seen.siblings)
    if waiting is not None:
        draft.wait_for(Phase.QUEUED, waiting)
        draft.look_again(CAPACITY_RECHECK_SECONDS)
        queue_time_over(seen, environment, draft)
        return
    draft.status = opened(draft.status, draft.now)
    anchor = anchor_of(seen.job, environment)
    draft.do(CreateStep(anchor, wanted_run(seen, environment, number)))
    draft.wait(Phase.QUEUED, "Scheduling", f"attempt {number}: waiting for its pods to start")


def _unseen(
    seen: Observed, environment: ComputeEnvironment, draft: Draft, attempt: Attempt
) -> None:
    """Its step isn't in sight: a cache that lags, or a step that somebody deleted."""
    name = step_name(seen.job, Role.RUN, attempt.number)
    if name not in seen.missing:
        draft.look_again(2)
        return
    if not attempt.started_at:
        anchor = anchor_of(seen.job, environment)
        draft.do(CreateStep(anchor, wanted_run(seen, environment, attempt.number)))
        return
    lost = msgspec.structs.replace(
        attempt, reason="Lost", message="its pods were deleted by somebody else"
    )
    _close(seen, draft, lost, None)


def _follow(
    seen: Observed,
    environment: ComputeEnvironment,
    draft: Draft,
    attempt: Attempt,
    step: StepState,
) -> None:
    if (refusal := unpullable(seen, draft, step)) is not None:
        over = msgspec.structs.replace(attempt, reason=refusal.reason, message=refusal.message)
        draft.status = closed(seen.job, draft.status, over, None, draft.now)
        draft.settle("Failed", refusal.reason, refusal.message)
        return
    if step.state == "Pending" and not attempt.started_at:
        reason, message = step.reason or "Scheduling", step.message or "waiting for its pods"
        draft.wait(Phase.QUEUED, reason, message)
        queue_time_over(seen, environment, draft)
        if draft.status.outcome:
            over = msgspec.structs.replace(attempt, reason="QueueTimeout")
            draft.status = closed(seen.job, draft.status, over, None, draft.now)
        return
    started = msgspec.structs.replace(attempt, started_at=attempt.started_at or step.started_at)
    draft.status = revised(draft.status, started)
    _progress(seen, draft, step)
    draft.wait(Phase.RUNNING, "Running", f"attempt {attempt.number} runs")
    _within_timeout(seen, environment, draft, started)


def _within_timeout(
    seen: Observed, environment: ComputeEnvironment, draft: Draft, attempt: Attempt
) -> None:
    if not attempt.started_at:
        draft.look_again(seen.settings.progress_interval_seconds)
        return
    limit = running_limit(seen.job, environment)
    so_far = msgspec.structs.replace(seen.job, status=draft.status)
    left = limit.seconds - running_seconds(so_far, draft.now)
    if left > 0:
        draft.look_again(left)
        return
    over = msgspec.structs.replace(attempt, reason=limit.reason, message=limit.message)
    draft.status = closed(seen.job, draft.status, over, None, draft.now)
    draft.settle("Failed", limit.reason, limit.message)


def _ended(seen: Observed, draft: Draft, attempt: Attempt, step: StepState) -> None:
    if step.state == "Failed":
        _close(seen, draft, failure(attempt, step), step)
        return
    over = msgspec.structs.replace(attempt, exit_code=0, reason="Completed")
    draft.status = closed(seen.job, draft.status, over, step, draft.now)
    if step.progress is not None:
        draft.update(progress=_stamped(step.progress, draft))
    draft.settle("Succeeded", "Completed", f"attempt {attempt.number} completed")


def _close(seen: Observed, draft: Draft, over: Attempt, step: StepState | None) -> None:
    """An attempt that failed: the next one, or the job's outcome."""
    draft.status = closed(seen.job, draft.status, over, step, draft.now)
    if may_retry(seen.job, draft.status, step):
        draft.wait(Phase.QUEUED, over.reason, f"{over.message}; another attempt follows")
        draft.look_again(1)
        return
    draft.settle("Failed", over.reason, over.message)


def _progress(seen: Observed, draft: Draft, step: StepState) -> None:
    """The newest line, written at most every so many seconds."""
    old, new = draft.status.progress, step.progress
    if new is None or (old and (old.step, old.percent) == (new.step, new.percent)):
        return
    interval = seen.settings.progress_interval_seconds
    if old is not None and old.updated_at:
        age = seconds_between(old.updated_at, timestamp(draft.now))
        if age < interval:
            draft.look_again(interval - age)
            return
    draft.update(progress=_stamped(new, draft))


def _stamped(progress: Progress, draft: Draft) -> Progress:
    return msgspec.structs.replace(progress, updated_at=timestamp(draft.now))


def _step_of(seen: Observed, attempt: Attempt) -> StepState | None:
    name = step_name(seen.job, Role.RUN, attempt.number)
    return next((step for step in seen.steps if step.name == name), None)
