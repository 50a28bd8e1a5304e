"""How long a job's pods may run: its timeout, or what its orders paid for. Pure."""

from __future__ import annotations

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobStatus
from posthuman.api.quantities import parse_duration_seconds


class RunningLimit(msgspec.Struct, frozen=True):
    """Seconds of running pods, all attempts together; and what is said when they are over."""

    seconds: float
    reason: str
    message: str


def running_limit(job: ComputeJob, environment: ComputeEnvironment) -> RunningLimit:
    """The shorter of both."""
    named = job.spec.timeout or environment.spec.limits.max_duration
    timeout, paid = parse_duration_seconds(named), paid_limit_seconds(job.status)
    if paid is not None and paid < timeout:
        return RunningLimit(
            paid,
            "PaidTimeOver",
            f"the {paid:g} s of running time that its orders paid for are over; what it wrote is "
            "kept. Order the service again, or prolong the order with reuseOrder, for another job",
        )
    message = f"ran longer than its timeout of {named}; ask for more in spec.timeout"
    return RunningLimit(timeout, "DeadlineExceeded", message)


def paid_limit_seconds(status: JobStatus) -> float | None:
    """Running time that the job's orders leave it; None: no end."""
    paid = [record.paid_seconds for record in status.orders if record.paid_seconds is not None]
    return min(paid, default=None)
