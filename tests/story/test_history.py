"""The judge of recordings must see a clash when there is one."""

from __future__ import annotations

from typing import Any

from tests.story.history import clashes, phases, pods_of
from tests.story.recorder import Event


def pod(
    revision: int, role: str, phase: str = "Running", change: str = "MODIFIED", uid: str = "1"
) -> Event:
    metadata = {
        "name": f"{role}-0",
        "namespace": "work",
        "labels": {
            "compute.posthuman.network/role": role,
            "compute.posthuman.network/job-uid": uid,
        },
    }
    return Event(
        revision, change, {"kind": "Pod", "metadata": metadata, "status": {"phase": phase}}
    )


def job(revision: int, phase: str) -> Event:
    body: dict[str, Any] = {"kind": "ComputeJob", "metadata": {"name": "trains", "uid": "1"}}
    body["metadata"]["namespace"] = "bob"
    return Event(revision, "MODIFIED", {**body, "status": {"phase": phase}})


def test_a_clean_life_has_no_clash() -> None:
    life = [job(1, "Staging"), pod(2, "stage"), pod(3, "stage", "Succeeded"), job(4, "Queued"),
            pod(5, "run", "Pending"), job(6, "Running"), pod(7, "run", "Succeeded"),
            job(8, "Exporting"), pod(9, "export")]  # fmt: skip
    assert clashes(life) == []
    assert phases(life, "bob/trains") == ["Staging", "Queued", "Running", "Exporting"]


def test_a_worker_beside_an_export_is_a_clash() -> None:
    assert clashes([pod(1, "run"), pod(2, "export", "Pending")])


def test_a_worker_of_a_job_that_publishes_is_a_clash() -> None:
    assert clashes([pod(1, "run"), job(2, "Publishing")])
    assert not clashes([pod(1, "run"), pod(2, "run", change="DELETED"), job(3, "Publishing")])


def test_a_worker_that_runs_while_its_job_exports_is_a_clash() -> None:
    assert clashes([pod(1, "run"), job(2, "Exporting")])
    assert not clashes([pod(1, "run", "Pending"), job(2, "Staging")])  # not told yet that it's on


def test_the_pods_of_a_namesake_are_not_its_own() -> None:
    """What a test before left to end may still be there when a recording begins."""
    (own,) = pods_of([pod(1, "run", uid="another"), job(2, "Running"), pod(3, "run")], "bob/trains")
    assert own.job_uid == "1"
    assert not clashes([pod(1, "run", uid="another"), job(2, "Exporting"), pod(3, "export")])
