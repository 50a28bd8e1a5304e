"""From a Job and its pods to what the core calls a step's state: pure.

The pod that ended first explains a failure: the others were ended because of it. A reason is the
word that Kubernetes itself uses, but for faults of the place, which are told apart from the
algorithm's own: Evicted, Preempted, NodeLost, Shutdown, Lost (its pods are gone and nothing says
why).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from jobkit.progress import ProgressLine
from jobkit.report import Report, decode_report
from posthuman.api.job import Progress
from posthuman.api.meta import LABEL_ATTEMPT
from posthuman.jobs.steps import Role, StepState
from posthuman.kube.seen import SeenCondition, SeenContainer, SeenJob, SeenPod, Terminated

State = Literal["Pending", "Running", "Succeeded", "Failed"]

DISRUPTIONS = {  # reasons of the pod condition DisruptionTarget
    "PreemptionByScheduler": "Preempted",
    "EvictionByEvictionAPI": "Evicted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
    "TerminationByKubelet": "Evicted",
}
POD_REASONS = {  # of a pod's status
    "Evicted": "Evicted",
    "Preempting": "Preempted",
    "NodeLost": "NodeLost",
    "Shutdown": "Shutdown",
    "NodeShutdown": "Shutdown",
    "Terminated": "Shutdown",
}
STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})


class Why(NamedTuple):
    """One word and a sentence, perhaps with the program's own account."""

    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    report: Report | None = None


def step_state(job: SeenJob, pods: Sequence[SeenPod], progress: Progress | None) -> StepState:
    """What is seen of a step."""
    pods = sorted(pods, key=lambda pod: pod.index)
    state = _state(job, pods)
    why = _why(state, job, pods)
    ended_at = _ended_at(job, pods) if state in ("Succeeded", "Failed") else ""
    return StepState(
        name=job.metadata.name,
        role=Role(job.metadata.role),
        attempt=int(job.metadata.labels.get(LABEL_ATTEMPT, "1")),
        state=state,
        created_at=job.metadata.creation_timestamp,
        started_at=_started_at(job, pods),
        ended_at=ended_at,
        exit_code=why.exit_code,
        report=why.report,
        reason=why.reason,
        message=why.message,
        progress=_reported(why.report, ended_at) or progress,
        live_pods=sum(not pod.finished for pod in pods),
        terminating=job.metadata.deletion_timestamp is not None,
    )


def _reported(report: Report | None, ended_at: str) -> Progress | None:
    """How far it came, as its launcher says at the end: nobody may have followed the log."""
    if report is None or "progress" not in report.details:
        return None
    try:
        line = msgspec.convert(report.details["progress"], ProgressLine)
    except msgspec.ValidationError:  # a container of somebody's own wrote that
        return None
    return Progress(**msgspec.structs.asdict(line), updated_at=ended_at)


def _state(job: SeenJob, pods: Sequence[SeenPod]) -> State:
    if _condition(job, "Failed", "FailureTarget") or any(_failed(pod) for pod in pods):
        return "Failed"
    if _condition(job, "Complete", "SuccessCriteriaMet"):
        return "Succeeded"
    ended_well = sum(pod.status.phase == "Succeeded" for pod in pods)
    if ended_well >= job.spec.completions:
        return "Succeeded"
    begun = ended_well + sum(pod.status.phase == "Running" and not pod.gone for pod in pods)
    return "Running" if begun >= job.spec.completions else "Pending"


def _failed(pod: SeenPod) -> bool:
    return pod.status.phase == "Failed"


def _condition(job: SeenJob, *types: str) -> SeenCondition | None:
    found = (c for c in job.status.conditions if c.type in types and c.holds)
    return next(found, None)


def _started_at(job: SeenJob, pods: Sequence[SeenPod]) -> str:
    """When the last pod's program began; empty while one hasn't."""
    begun = [moment for pod in pods if (moment := _began(pod))]
    return max(begun) if len(begun) >= job.spec.completions else ""


def _began(pod: SeenPod) -> str:
    state = pod.main
    if state.running:
        return state.running.started_at or ""
    return (state.terminated.started_at or "") if state.terminated else ""


def _ended_at(job: SeenJob, pods: Sequence[SeenPod]) -> str:
    """When the last program ended, or, if no pod can tell, when the Job did."""
    ends = [pod.main.terminated for pod in pods if pod.main.terminated]
    told = max((end.finished_at or "" for end in ends), default="")
    condition = _condition(job, "Failed", "FailureTarget", "Complete", "SuccessCriteriaMet")
    marked = (condition.last_transition_time or "") if condition else ""
    return told or job.status.completion_time or marked


def _why(state: State, job: SeenJob, pods: Sequence[SeenPod]) -> Why:
    if state == "Failed":
        return _why_failed(job, pods)
    if state == "Succeeded":
        return _account(pods[0].main.terminated) if pods else Why(exit_code=0)
    return _why_waiting(job, pods) if state == "Pending" else Why()


def _why_failed(job: SeenJob, pods: Sequence[SeenPod]) -> Why:
    failed = [pod for pod in pods if _failed(pod)] or [pod for pod in pods if _disruption(pod)]
    if not failed:
        condition = _condition(job, "Failed", "FailureTarget")
        said = condition.message if condition else ""
        return Why("Lost", f"the pods of {job.metadata.name} are gone: {said or 'no reason given'}")
    culprit = min(failed, key=_end_of)
    account = _account(_last_words(culprit))
    disruption = _disruption(culprit)
    if disruption:
        return account._replace(reason=disruption.reason, message=disruption.message)
    return account


def _end_of(pod: SeenPod) -> tuple[str, int]:
    """Earliest first; a pod without a time comes last."""
    ended = _last_words(pod)
    return ((ended.finished_at if ended else None) or "~", pod.index)


def _last_words(pod: SeenPod) -> Terminated | None:
    """Of the container that failed, the init container first; else of the main one."""
    containers = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    ends = [found.state.terminated for found in containers if found.state.terminated]
    bad = [end for end in ends if end.exit_code != 0]
    return next(iter(bad), ends[-1] if ends else None)


def _account(ended: Terminated | None) -> Why:
    if ended is None:
        return Why("Error", "the pod ended without a word")
    report = decode_report(ended.message) if ended.message else None
    reason = "" if ended.exit_code == 0 else ended.reason or "Error"
    message = "" if report else ended.message
    return Why(reason, message, ended.exit_code, report)


def _disruption(pod: SeenPod) -> Why | None:
    """A fault of the place: the node went, or somebody more important came."""
    for found in pod.status.conditions:
        if found.type == "DisruptionTarget" and found.holds:
            return Why(DISRUPTIONS.get(found.reason, found.reason), found.message)
    if reason := POD_REASONS.get(pod.status.reason):
        return Why(reason, pod.status.message)
    return None


def _why_waiting(job: SeenJob, pods: Sequence[SeenPod]) -> Why:
    if job.spec.suspend:
        return Why("Suspended", "the Job is suspended, by its queue or by a person")
    if not pods:
        namespace, name = job.metadata.key
        return Why(
            "WaitingForPods",
            "its pods aren't made yet; a quota or a policy may forbid them: "
            f"`kubectl describe job -n {namespace} {name}` tells",
        )
    reasons = [found for pod in pods if not pod.gone and (found := _hindrance(pod))]
    return reasons[0] if reasons else Why("Starting", "its containers are being created")


def _hindrance(pod: SeenPod) -> Why | None:
    for found in pod.status.conditions:
        if found.type == "PodScheduled" and not found.holds:
            return Why(found.reason or "Unschedulable", found.message)
    containers = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return next((why for found in containers if (why := _stuck(found))), None)


def _stuck(container: SeenContainer) -> Why | None:
    waiting = container.state.waiting
    if waiting is None or waiting.reason in STARTING:
        return None
    return Why(waiting.reason, waiting.message)
