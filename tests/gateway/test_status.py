"""What number and words each state of a job has."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.job import Attempt, ComputeJob, Phase, Progress
from posthuman.api.meta import Condition
from posthuman.gateway.ocean.status import state_of, stop_request
from posthuman.gateway.ocean.story import queue_position, status_object, termination
from tests import builders

ENDED = Attempt(number=1, started_at="2026-01-01T12:00:00Z", ended_at="2026-01-01T12:01:00Z")


def job(
    phase: Phase | None, reason: str = "", *, done: tuple[str, ...] = (), **status: Any
) -> ComputeJob:
    """In this phase for this reason, with these parts behind it."""
    conditions = [Condition(type=kind, status="True", reason=kind) for kind in done]
    conditions.append(Condition(type="Succeeded", status="Unknown", reason=reason))
    found = builders.job()
    changed = msgspec.structs.replace(
        found.status, phase=phase, conditions=tuple(conditions), **status
    )
    return msgspec.structs.replace(found, status=changed)


@pytest.mark.parametrize(
    ("found", "number", "text"),
    [
        (job(None), 1, "Warming up"),
        (job(Phase.PENDING, "EnvironmentNotReady"), 1, "Warming up"),
        (job(Phase.PENDING, "TooManyStaged", done=("Accepted",)), 10, "Job started"),
        (job(Phase.STAGING, done=("Accepted",)), 20, "Configuring volumes"),
        (job(Phase.QUEUED, done=("Accepted", "Staged")), 30, "Provisioning success"),
        (job(Phase.RUNNING, done=("Accepted", "Staged")), 40, "Running algorithm"),
        (job(Phase.RUNNING, "PodsEnding", outcome="Succeeded"), 50, "Filtering results"),
        (job(Phase.EXPORTING, "Exporting", outcome="Succeeded"), 60, "Publishing results"),
        (job(Phase.PUBLISHING, outcome="Succeeded"), 60, "Publishing results"),
        (job(Phase.SUCCEEDED, outcome="Succeeded"), 70, "Job finished"),
        (job(Phase.STOPPED, outcome="Stopped"), 70, "Job finished"),
        (job(Phase.FAILED, "ChecksumMismatch"), 31, "Data provisioning failed"),
        (job(Phase.FAILED, "AlgorithmNotTrusted"), 32, "Algorithm provisioning failed"),
        (job(Phase.FAILED, "ImagePullBackOff", done=("Staged",)), 32, None),
        (job(Phase.FAILED, "OrderUsedUp"), 31, "Data provisioning failed"),
        (job(Phase.FAILED, "UnknownAlgorithm"), 32, "Algorithm provisioning failed"),
        (job(Phase.FAILED, "BadParameter"), 32, "Algorithm provisioning failed"),
        (job(Phase.FAILED, "NoEntrypoint"), 32, "Algorithm provisioning failed"),
        (job(Phase.FAILED, "RawCodeRefused"), 32, "Algorithm provisioning failed"),
        (job(Phase.FAILED, "QueueTimeout", done=("Staged",)), 2, "Queue expired"),
        (job(Phase.FAILED, "OOMKilled", attempts=(ENDED,)), 41, "Algorithm failed"),
        (job(Phase.FAILED, "DeadlineExceeded", attempts=(ENDED,)), 70, "Job finished"),
        (job(Phase.FAILED, "PaidTimeOver", attempts=(ENDED,)), 70, "Job finished"),
        (job(Phase.FAILED, "PublicationAbandoned", attempts=(ENDED,)), 70, "Job finished"),
    ],
)
def test_numbers_follow_from_the_job(found: ComputeJob, number: int, text: str | None) -> None:
    state = state_of(found)
    assert state.status == number
    assert text is None or state.text == text


def test_time_that_is_over_is_told_as_such() -> None:
    assert stop_request(job(Phase.FAILED, "DeadlineExceeded", attempts=(ENDED,))) == 2
    assert stop_request(job(Phase.RUNNING)) == 0


def test_an_end_by_memory_is_told() -> None:
    killed = Attempt(number=1, ended_at="x", exit_code=137, reason="OOMKilled")
    assert termination(job(Phase.FAILED, "OOMKilled", attempts=(killed,))) == {
        "OOMKilled": True,
        "exitCode": 137,
    }
    assert termination(job(Phase.RUNNING)) == {"OOMKilled": None, "exitCode": None}


def test_progress_and_why_it_waits() -> None:
    progress = Progress(percent=50.0, step=5, total_steps=10, metrics={"loss": 2.5})
    told = status_object(job(Phase.RUNNING, "Running", progress=progress), (), [])
    assert told["metrics"] == {"loss": 2.5}
    assert told["progress"]["totalSteps"] == 10
    waiting = job(Phase.PENDING, "TooManyStaged", done=("Accepted",))
    assert status_object(waiting, (), [waiting])["queuePosition"] == 1


def test_places_in_the_queue_are_in_order_of_age() -> None:
    def aged(name: str, minute: int) -> ComputeJob:
        one = job(Phase.QUEUED, done=("Accepted", "Staged"))
        meta = msgspec.structs.replace(
            one.metadata, name=name, uid=name, creation_timestamp=f"2026-01-01T11:{minute:02}:00Z"
        )
        return msgspec.structs.replace(one, metadata=meta)

    jobs = [aged("c", 3), aged("a", 1), aged("b", 2)]
    assert [queue_position(one, jobs) for one in jobs] == [3, 1, 2]


def test_no_url_is_ever_told() -> None:
    told = status_object(job(Phase.SUCCEEDED, outcome="Succeeded"), (), [])
    assert not {"resultsUrl", "algorithmLogUrl", "resultsDid"} & set(told)
