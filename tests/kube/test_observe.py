"""What a Job and its pods say about a step."""

from __future__ import annotations

from typing import Any

import pytest

from jobkit.report import Report, encode_report
from posthuman.api.job import Progress
from posthuman.jobs.steps import StepState
from posthuman.kube.observe import step_state
from posthuman.kube.seen import seen_job, seen_pod
from tests.kube.objects import condition, ended, job_body, pod_body, running, waiting

FAILED = condition("Failed", "BackoffLimitExceeded", "Job has reached the backoff limit")
COMPLETE = condition("Complete", "CompletionsReached")


def observe(job: Any, *pods: Any, progress: Progress | None = None) -> StepState:
    return step_state(seen_job(job), [seen_pod(pod) for pod in pods], progress)


def test_a_job_without_pods_is_pending_and_says_so() -> None:
    state = observe(job_body())
    assert (state.state, state.reason, state.live_pods) == ("Pending", "WaitingForPods", 0)
    assert "kubectl describe job -n work run-1" in state.message


def test_it_runs_when_every_pod_runs_since_the_last_began() -> None:
    job = job_body(nodes=2)
    first = pod_body(phase="Running", index=0, main=running("2026-01-01T12:01:00Z"))
    second = pod_body(phase="Pending", index=1, main=waiting("ContainerCreating"))
    state = observe(job, first, second)
    assert (state.state, state.reason, state.started_at) == ("Pending", "Starting", "")
    assert state.live_pods == 2
    second = pod_body(phase="Running", index=1, main=running("2026-01-01T12:02:30Z"))
    state = observe(job, first, second)
    assert (state.state, state.started_at) == ("Running", "2026-01-01T12:02:30Z")


@pytest.mark.parametrize(
    "reason",
    ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "InvalidImageName"],
)
@pytest.mark.parametrize("container", ["main", "seal"])
def test_why_a_container_waits(reason: str, container: str) -> None:
    state = observe(job_body(), pod_body(**{container: waiting(reason, "no such image")}))
    assert (state.state, state.reason, state.message) == ("Pending", reason, "no such image")


def test_why_a_pod_is_not_scheduled() -> None:
    message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    unscheduled = condition("PodScheduled", "Unschedulable", message, status="False")
    state = observe(job_body(), pod_body(conditions=[unscheduled]))
    assert (state.state, state.reason, state.message) == ("Pending", "Unschedulable", message)


def test_who_looks_only_at_the_end_learns_how_far_it_came() -> None:
    line = {"percent": 100.0, "step": 60, "metrics": {"loss": 2.5}}
    report = Report(reason="Completed", details={"exitCode": 0, "progress": line})
    pod = pod_body(phase="Succeeded", index=0, main=ended(message=encode_report(report).decode()))
    state = observe(job_body("run-1", 1, "run", 1, COMPLETE), pod)
    assert state.progress == Progress(
        percent=100.0, step=60, metrics={"loss": 2.5}, updated_at=state.ended_at
    )


def test_what_is_no_progress_is_none() -> None:
    report = Report(reason="Completed", details={"progress": {"percent": "all"}})
    pod = pod_body(phase="Succeeded", index=0, main=ended(message=encode_report(report).decode()))
    assert observe(job_body("run-1", 1, "run", 1, COMPLETE), pod).progress is None


def test_success_carries_the_report_of_rank_0() -> None:
    report = Report(reason="Staged", details={"inputs": 2})
    message = encode_report(report).decode()
    first = pod_body(phase="Succeeded", index=0, main=ended(message=message))
    second = pod_body(
        phase="Succeeded", index=1, main=ended(finished="2026-01-01T12:06:00Z", message="{}")
    )
    state = observe(job_body("run-1", 1, "run", 2, COMPLETE), second, first)
    assert (state.state, state.exit_code, state.report) == ("Succeeded", 0, report)
    assert (state.started_at, state.ended_at) == ("2026-01-01T12:01:00Z", "2026-01-01T12:06:00Z")
    assert state.live_pods == 0


def test_the_first_to_fail_explains_a_failure() -> None:
    report = Report(reason="EmptyDataset", message="text has no lines", user_error=True)
    culprit = pod_body(
        phase="Failed", index=1, main=ended(12, message=encode_report(report).decode())
    )
    victim = pod_body(phase="Failed", index=0, main=ended(143, finished="2026-01-01T12:05:09Z"))
    state = observe(job_body("run-1", 1, "run", 2, FAILED), victim, culprit)
    assert (state.state, state.exit_code, state.report) == ("Failed", 12, report)
    assert state.ended_at == "2026-01-01T12:05:09Z"


def test_a_failed_attempt_counts_the_pods_that_still_end() -> None:
    failed = pod_body(phase="Failed", index=1, main=ended(1))
    other = pod_body(phase="Running", index=0, main=running())
    state = observe(job_body(nodes=2), failed, other)
    assert (state.state, state.live_pods) == ("Failed", 1)


def test_out_of_memory() -> None:
    pod = pod_body(phase="Failed", main=ended(137, reason="OOMKilled"))
    state = observe(job_body("run-1", 1, "run", 1, FAILED), pod)
    assert (state.state, state.reason, state.exit_code) == ("Failed", "OOMKilled", 137)


def test_a_custom_program_s_last_lines_are_the_message() -> None:
    pod = pod_body(phase="Failed", main=ended(3, message="ValueError: bad shape\n"))
    state = observe(job_body("run-1", 1, "run", 1, FAILED), pod)
    assert (state.reason, state.message, state.report) == ("Error", "ValueError: bad shape\n", None)


def test_a_seal_that_fails_explains_the_failure() -> None:
    report = Report(reason="SealFailed", message="no peers after 300 s")
    pod = pod_body(
        phase="Failed",
        seal=ended(1, message=encode_report(report).decode()),
        main=waiting("PodInitializing"),
    )
    state = observe(job_body("run-1", 1, "run", 1, FAILED), pod)
    assert (state.state, state.report, state.started_at) == ("Failed", report, "")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("PreemptionByScheduler", "Preempted"),
        ("EvictionByEvictionAPI", "Evicted"),
        ("DeletionByTaintManager", "NodeLost"),
        ("DeletionByPodGC", "NodeLost"),
        ("TerminationByKubelet", "Evicted"),
    ],
)
def test_a_disruption_is_no_fault_of_the_program(said: str, reason: str) -> None:
    target = condition("DisruptionTarget", said, "sorry")
    pod = pod_body(phase="Failed", main=ended(143), conditions=[target])
    state = observe(job_body("run-1", 1, "run", 1, FAILED), pod)
    assert (state.reason, state.message, state.exit_code) == (reason, "sorry", 143)


def test_an_eviction_without_a_container_status() -> None:
    pod = pod_body(phase="Failed", reason="Evicted", message="The node was low on memory")
    state = observe(job_body("run-1", 1, "run", 1, FAILED), pod)
    assert (state.reason, state.message) == ("Evicted", "The node was low on memory")
    assert state.ended_at == "2026-01-01T12:09:00Z"


def test_pods_that_are_gone_without_a_word_are_lost() -> None:
    state = observe(job_body("run-1", 1, "run", 1, FAILED))
    assert (state.state, state.reason, state.live_pods) == ("Failed", "Lost", 0)
    assert "backoff limit" in state.message


def test_a_terminating_pod_is_alive_until_it_is_gone() -> None:
    pod = pod_body(phase="Running", main=running())
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T12:05:00Z"
    job = job_body()
    job["metadata"]["deletionTimestamp"] = "2026-01-01T12:05:00Z"
    state = observe(job, pod)
    assert (state.live_pods, state.terminating) == (1, True)


def test_a_suspended_job_says_so() -> None:
    job = job_body()
    job["spec"]["suspend"] = True
    assert observe(job).reason == "Suspended"


def test_progress_is_passed_on() -> None:
    progress = Progress(percent=12.0, step=60, total_steps=500)
    assert observe(job_body(), progress=progress).progress == progress
