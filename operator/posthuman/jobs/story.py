"""A job's story in events: one line for each thing that became different in its status. Pure."""

from __future__ import annotations

from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, JobStatus, Phase
from posthuman.api.meta import Condition
from posthuman.ports import JobEvent

QUIET = frozenset({"Succeeded", "Suspended"})  # told by the phase
UNTOLD = "NoChain"  # no receipt, and none was to be expected
ON_ITS_WAY = frozenset({"AssetNotReady", "Publishing", "Sending"})  # False, and all is well


def story(job: ComputeJob, new: JobStatus) -> list[JobEvent]:
    """Events for what changed between the job's stored status and the new one."""
    old = job.status
    lines = [
        (found.reason, found.message, _is_warning(found))
        for found in new.conditions
        if found.type not in QUIET
        and found.reason != UNTOLD
        and _changed(find_condition(old.conditions, found.type), found)
    ]
    if old.phase != new.phase and new.phase:
        lines.append(_phase_line(new))
    return [_event(job, *line) for line in dict.fromkeys(lines)]


def _phase_line(status: JobStatus) -> tuple[str, str, bool]:
    assert status.phase is not None
    why = find_condition(status.conditions, "Succeeded")
    return (str(status.phase), why.message if why else "", status.phase is Phase.FAILED)


def _is_warning(condition: Condition) -> bool:
    return condition.status == "False" and condition.reason not in ON_ITS_WAY


def _changed(old: Condition | None, new: Condition) -> bool:
    return old is None or (old.status, old.reason) != (new.status, new.reason)


def _event(job: ComputeJob, reason: str, message: str, warning: bool) -> JobEvent:
    return JobEvent(
        kind="ComputeJob",
        key=job.metadata.key,
        uid=job.metadata.uid,
        reason=reason,
        message=message,
        warning=warning,
    )
