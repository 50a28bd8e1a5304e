"""Is there room for this job now, and if not, why? Pure; first come, first served."""

from __future__ import annotations

from collections.abc import Sequence

from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.environments.verdict import Waiting

STAGING_HELD = "Staged"  # a workspace is held from staging to the end of the export


def room_to_stage(
    job: ComputeJob, environment: ComputeEnvironment, jobs: Sequence[ComputeJob]
) -> Waiting | None:
    """Limits on how many jobs may hold a workspace at a time: maxStaged in all, and of one owner,
    who could else keep all of them and hold up everybody behind, maxJobsPerOwner."""
    limits = environment.spec.limits
    others = [found for found in jobs if found.metadata.uid != job.metadata.uid]
    holding = [found for found in others if holds_workspace(found)]
    if len(holding) >= limits.max_staged:
        told = f"{len(holding)} of {limits.max_staged} workspaces of the environment are taken"
        return Waiting("TooManyStaged", told)
    own = sum(_same_owner(found, job) for found in holding)
    if own >= limits.max_jobs_per_owner:
        told = f"you have {own} of {limits.max_jobs_per_owner} unfinished jobs here already"
        return Waiting("TooManyJobsOfOwner", told)
    return None


def room_to_run(
    job: ComputeJob, environment: ComputeEnvironment, jobs: Sequence[ComputeJob]
) -> Waiting | None:
    """Room among the running jobs, and behind the older ones that wait."""
    running = [found for found in jobs if is_running(found)]
    limits = environment.spec.limits
    if len(running) >= limits.max_jobs:
        return Waiting("TooManyJobs", f"{len(running)} of {limits.max_jobs} jobs are running")
    own = sum(_same_owner(found, job) for found in running)
    if own >= limits.max_jobs_per_owner:
        return Waiting(
            "TooManyJobsOfOwner", f"you run {own} of {limits.max_jobs_per_owner} jobs already"
        )
    return _room_for_gpus(job, environment, running, older_waiting(job, jobs))


def _same_owner(one: ComputeJob, other: ComputeJob) -> bool:
    return one.spec.owner.lower() == other.spec.owner.lower()


def _room_for_gpus(
    job: ComputeJob,
    environment: ComputeEnvironment,
    running: Sequence[ComputeJob],
    older: Sequence[ComputeJob],
) -> Waiting | None:
    wanted, total = gpus(job), total_gpus(environment)
    if not wanted:
        return None
    used = sum(gpus(found) for found in running)
    before = [found for found in older if gpus(found)]
    if wanted + used <= total and not before:
        return None
    queue = f"; {len(before)} job(s) are before it" if before else ""
    return Waiting(
        "WaitingForGPUs", f"waits for {wanted} GPU(s): {used} of {total} are in use{queue}"
    )


def older_waiting(job: ComputeJob, jobs: Sequence[ComputeJob]) -> list[ComputeJob]:
    """Staged jobs of the environment that came first and don't run yet."""
    return [found for found in jobs if _waits(found) and _order(found) < _order(job)]


def gpus(job: ComputeJob) -> int:
    """GPUs a job takes while it runs."""
    return job.spec.nodes * job.spec.gpus_per_node


def total_gpus(environment: ComputeEnvironment) -> int:
    """GPUs of the environment."""
    return environment.spec.hardware.gpus_per_node * environment.spec.hardware.max_nodes


def is_running(job: ComputeJob) -> bool:
    """Whether the job has an attempt that hasn't ended."""
    return any(not attempt.ended_at for attempt in job.status.attempts)


def holds_workspace(job: ComputeJob) -> bool:
    """Whether the job's volume is there: from staging until its results are in the store."""
    status = job.status
    return bool(status.work_namespace) and not status.results and status.phase not in FINISHED


def _waits(job: ComputeJob) -> bool:
    status = job.status
    waiting = is_true(status.conditions, STAGING_HELD) and not status.outcome
    return waiting and not is_running(job) and not job.spec.suspend and not job.spec.stop


def _order(job: ComputeJob) -> tuple[str, str]:
    return (job.metadata.creation_timestamp, job.metadata.uid)
