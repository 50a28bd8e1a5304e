"""Attempts: opened, followed, closed and counted from what is seen of their steps. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from posthuman.api.conditions import seconds_between, timestamp
from posthuman.api.job import Attempt, ComputeJob, JobStatus
from posthuman.jobs.plans import devices
from posthuman.jobs.steps import StepState

# Faults of the place, not of the job: another attempt may end well.
INFRASTRUCTURE = frozenset({"Evicted", "Preempted", "NodeLost", "Lost", "Shutdown"})
# Never to be pulled, however long one waits.
UNPULLABLE = frozenset({"InvalidImageName", "ErrImageNeverPull"})
PULLING_FAILS = frozenset({"ImagePullBackOff", "ErrImagePull", *UNPULLABLE})


def open_attempt(status: JobStatus) -> Attempt | None:
    """The attempt that may still be alive."""
    return next((found for found in status.attempts if not found.ended_at), None)


def opened(status: JobStatus, now: datetime) -> JobStatus:
    """One attempt more."""
    fresh = Attempt(number=len(status.attempts) + 1, created_at=timestamp(now))
    return msgspec.structs.replace(status, attempts=(*status.attempts, fresh), progress=None)


def revised(status: JobStatus, attempt: Attempt) -> JobStatus:
    """The attempt of that number replaced."""
    attempts = tuple(
        attempt if found.number == attempt.number else found for found in status.attempts
    )
    return msgspec.structs.replace(status, attempts=attempts)


def closed(
    job: ComputeJob, status: JobStatus, attempt: Attempt, step: StepState | None, now: datetime
) -> JobStatus:
    """The attempt ended; its running time is added to what is billed."""
    started = attempt.started_at or (step.started_at if step else "")
    ended = (step.ended_at if step else "") or timestamp(now)
    over = msgspec.structs.replace(attempt, started_at=started, ended_at=ended)
    seconds = max(0.0, seconds_between(started, ended)) * devices(job) if started else 0.0
    total = round(status.gpu_seconds + seconds, 3)
    return msgspec.structs.replace(revised(status, over), gpu_seconds=total)


def running_seconds(job: ComputeJob, now: datetime) -> float:
    """Of the pods of all attempts, the open one's so far."""
    attempt = open_attempt(job.status)
    ended = job.status.gpu_seconds / devices(job)
    if attempt is None or not attempt.started_at:
        return ended
    return ended + max(0.0, seconds_between(attempt.started_at, timestamp(now)))


def failure(attempt: Attempt, step: StepState) -> Attempt:
    """The attempt with the reason its step gives: the program's own report first."""
    report = step.report
    reason = step.reason if step.reason in {"OOMKilled", *INFRASTRUCTURE} else ""
    reason = reason or (report.reason if report else "") or step.reason or "Error"
    message = (report.message if report else "") or step.message
    return msgspec.structs.replace(
        attempt,
        exit_code=step.exit_code,
        reason=reason,
        message=_advice(reason, step.exit_code, message),
        counts=step.reason != "Preempted",  # as the cluster says it, not the program
    )


def may_retry(job: ComputeJob, status: JobStatus, step: StepState | None) -> bool:
    """A user's error gets no second attempt; others do while retries are left."""
    if step and step.report and step.report.user_error:
        return False
    counted = sum(attempt.counts for attempt in status.attempts)
    return counted <= job.spec.retries


def _advice(reason: str, exit_code: int | None, message: str) -> str:
    if reason == "OOMKilled":
        return (
            "the algorithm used more memory than its pod may have; ask for more in "
            "spec.resources.memory, or make batches or sequences smaller"
        )
    if reason == "Error" and exit_code is not None:
        return f"the algorithm ended with exit code {exit_code}" + (
            f": {message}" if message else "; its log is with the results"
        )
    return message or f"the attempt ended: {reason}"
