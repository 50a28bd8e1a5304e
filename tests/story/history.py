"""What a recording proves: phases in order, and which pods lived at the same time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from posthuman.api.meta import LABEL_JOB_UID, LABEL_ROLE
from tests.story.recorder import Event

WITHOUT_WORKERS = frozenset({"Pending", "Staging", "Exporting", "Publishing", "Succeeded"})
ENDED = frozenset({"Succeeded", "Failed"})


class Pod(NamedTuple):
    """A pod of a step; of a namesake of its ComputeJob, in a test before, it is told by the UID."""

    job_uid: str
    role: str
    name: str


def phases(events: Sequence[Event], job: str) -> list[str]:
    """The phases that a job was seen in, in order."""
    seen: list[str] = []
    for event in events:
        if event.kind == "ComputeJob" and f"{event.namespace}/{event.name}" == job:
            phase = event.body.get("status", {}).get("phase")
            if phase and (not seen or seen[-1] != phase):
                seen.append(phase)
    return seen


def pods_of(events: Sequence[Event], job: str) -> set[Pod]:
    """Every pod that a job ever had."""
    named = (event for event in events if event.kind == "ComputeJob")
    uids = {_uid(event) for event in named if f"{event.namespace}/{event.name}" == job}
    found = (_step_pod(event.body) for event in events if event.kind == "Pod")
    return {pod for pod in found if pod and pod.job_uid in uids}


def clashes(events: Sequence[Event]) -> list[str]:
    """Moments when a worker pod was there beside a stage or export pod of its job, or ran while its
    job staged, exported, published or was done."""
    phase: dict[str, str] = {}
    alive: dict[str, dict[Pod, str]] = defaultdict(dict)
    found: list[str] = []
    for event in events:
        job = _take(event, phase, alive)
        if job:
            found += _clash(event.revision, job, phase.get(job, ""), alive[job])
    return found


def _uid(event: Event) -> str:
    return str(event.body["metadata"]["uid"])


def _step_pod(body: Mapping[str, Any]) -> Pod | None:
    """The pod as a step's, or None for another's."""
    labels = body["metadata"].get("labels", {})
    role, job_uid = labels.get(LABEL_ROLE), labels.get(LABEL_JOB_UID)
    return Pod(job_uid, role, body["metadata"]["name"]) if role and job_uid else None


def _take(event: Event, phase: dict[str, str], alive: dict[str, dict[Pod, str]]) -> str:
    """UID of the job that the event is about, which is taken in; pods are kept by phase."""
    if event.kind == "ComputeJob":
        phase[_uid(event)] = str(event.body.get("status", {}).get("phase", ""))
        return _uid(event)
    pod = _step_pod(event.body) if event.kind == "Pod" else None
    if pod is None:
        return ""
    now = str(event.body["status"].get("phase"))
    if event.change == "DELETED" or now in ENDED:
        alive[pod.job_uid].pop(pod, None)
    else:
        alive[pod.job_uid][pod] = now
    return pod.job_uid


def _clash(revision: int, job: str, phase: str, alive: dict[Pod, str]) -> list[str]:
    workers = {pod.name: now for pod, now in alive.items() if pod.role == "run"}
    others = [pod.name for pod in alive if pod.role != "run"]
    runs = "Running" in workers.values()
    if (workers and others) or (runs and phase in WITHOUT_WORKERS):
        return [f"revision {revision}: {job} is {phase}, there are {workers} and {others}"]
    return []
