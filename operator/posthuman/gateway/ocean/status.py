"""A job's status as Ocean's clients read it: derived from the job, never remembered. Pure.

70 comes only when all results can be downloaded. A job whose algorithm fails doesn't end as 70, as
it does upstream: 41 is ocean-node's number for it. A job that was stopped, or whose time is over,
ends as 70, as upstream, with `stopreq` saying why; its partial results can be downloaded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from posthuman.api.conditions import find_condition, is_true
from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import GROUP

ANNOTATION_ALGORITHM = f"{GROUP}/ocean-algorithm"  # its id, as the provider named it
ANNOTATION_INPUTS = f"{GROUP}/ocean-inputs"  # a JSON array of DIDs, as the provider named them
ANNOTATION_REMOVED = f"{GROUP}/ocean-removed"  # "true" once DELETE was asked for


class State(NamedTuple):
    """A number and its words."""

    status: int
    text: str


WARMING_UP = State(1, "Warming up")
QUEUE_EXPIRED = State(2, "Queue expired")  # ocean-node's, as 41 and 62
STARTED = State(10, "Job started")
CONFIGURING = State(20, "Configuring volumes")
PROVISIONED = State(30, "Provisioning success")
DATA_FAILED = State(31, "Data provisioning failed")
ALGORITHM_PROVISIONING_FAILED = State(32, "Algorithm provisioning failed")
RUNNING = State(40, "Running algorithm")
ALGORITHM_FAILED = State(41, "Algorithm failed")
FILTERING = State(50, "Filtering results")
PUBLISHING = State(60, "Publishing results")
UPLOAD_FAILED = State(62, "Publishing results failed")
FINISHED_STATE = State(70, "Job finished")

NOT_STOPPED, STOP_ASKED, TIMED_OUT = 0, 1, 2
DEADLINE_REASONS = frozenset({"DeadlineExceeded", "PaidTimeOver"})
# In the reasons of refusals and of staging: what they are about, where it isn't the data.
ALGORITHM_WORDS = (
    "Algorithm",
    "Image",
    "Container",
    "RawCode",
    "Entrypoint",
    "Command",
    "Parameter",
)


def state_of(job: ComputeJob) -> State:
    """The number for where the job is."""
    status = job.status
    if status.phase in FINISHED:
        return _ended(job)
    if status.phase is Phase.RUNNING:
        return FILTERING if status.outcome else RUNNING
    if status.phase is Phase.EXPORTING:
        return FILTERING if reason_of(job) == "PodsEnding" else PUBLISHING
    if status.phase is Phase.PUBLISHING:
        return PUBLISHING
    if is_true(status.conditions, "Staged"):
        return PROVISIONED
    if status.phase is Phase.STAGING:
        return CONFIGURING
    return STARTED if is_true(status.conditions, "Accepted") else WARMING_UP


def _ended(job: ComputeJob) -> State:
    if job.status.phase is Phase.SUCCEEDED or stop_request(job) != NOT_STOPPED:
        return FINISHED_STATE
    if job.status.phase is Phase.STOPPED:
        return FINISHED_STATE
    reason = reason_of(job)
    if reason == "PublicationAbandoned":  # the results are all there; the new asset isn't
        return FINISHED_STATE
    if reason == "QueueTimeout":
        return QUEUE_EXPIRED
    if reason == "WorkspaceLost" and is_true(job.status.conditions, "Staged"):
        return UPLOAD_FAILED
    if any(attempt.started_at for attempt in job.status.attempts):
        return ALGORITHM_FAILED
    return _not_provisioned(reason)


def _not_provisioned(reason: str) -> State:
    of_algorithm = any(word in reason for word in ALGORITHM_WORDS)
    return ALGORITHM_PROVISIONING_FAILED if of_algorithm else DATA_FAILED


def stop_request(job: ComputeJob) -> int:
    """0 none, 1 stop asked, 2 its time is over."""
    if job.spec.stop:
        return STOP_ASKED
    ran = any(attempt.started_at for attempt in job.status.attempts)
    over = job.status.phase is Phase.FAILED and reason_of(job) in DEADLINE_REASONS
    return TIMED_OUT if ran and over else NOT_STOPPED


def reason_of(job: ComputeJob) -> str:
    """One word: why it isn't done, or how it ended."""
    why = find_condition(job.status.conditions, "Succeeded")
    return why.reason if why else ""


def algorithm_id(job: ComputeJob) -> str:
    """As the provider named it; empty for raw code."""
    return job.metadata.annotations.get(ANNOTATION_ALGORITHM, job.spec.algorithm.did)


def input_ids(job: ComputeJob) -> list[str]:
    """DIDs of the inputs, in their order."""
    named = job.metadata.annotations.get(ANNOTATION_INPUTS)
    if named is not None:
        return msgspec.json.decode(named, type=list[str])
    return [found.did for found in job.spec.inputs if found.did]


def epoch_text(moment: str) -> str | None:
    """Epoch seconds of an RFC 3339 timestamp, as a text; None of an empty one."""
    return str(int(datetime.fromisoformat(moment).timestamp())) if moment else None


def head_of(job: ComputeJob) -> dict[str, Any]:
    """What each status object begins with."""
    state, order = state_of(job), job.spec.order
    return {
        "agreementId": order.agreement_id if order else "",
        "jobId": job.metadata.name,
        "owner": job.spec.owner,
        "status": state.status,
        "statusText": state.text,
        "dateCreated": epoch_text(job.metadata.creation_timestamp),
    }


def brief_of(job: ComputeJob) -> dict[str, Any]:
    """What `/runningjobs` tells anybody, in upstream's order."""
    order = job.spec.order
    return {
        **head_of(job),
        "namespace": job.spec.environment_ref.name,
        "chainId": order.chain_id if order else 0,
        "algoDID": algorithm_id(job),
        "inputDID": input_ids(job),
    }
