"""The cache: order, deletions, ghosts, and what it tells."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from posthuman.api.meta import Key
from posthuman.errors import NotFound
from posthuman.kube.cache import Cache, Object
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.progress import ProgressReader
from posthuman.kube.seen import SeenPod
from posthuman.metrics import Metrics
from tests.kube.objects import job_body, pod_body

KEY = Key("bob", "bob-trains")


class Watcher:
    """Records what the cache tells."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, bool, bool]] = []
        self.cache = Cache(self.changed, UnseenWrites(Metrics()))

    def changed(self, kind: str, old: Object | None, new: Object | None) -> None:
        self.changes.append((kind, old is not None, new is not None))


@pytest.fixture
def seen() -> Watcher:
    return Watcher()


def compute_job(version: int, uid: str = "u1", phase: str = "Pending", **metadata: Any) -> Any:
    return {
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": uid,
            "resourceVersion": str(version),
            **metadata,
        },
        "spec": {"environmentRef": {"name": "a100"}, "owner": "0x1", "algorithm": {}},
        "status": {"phase": phase},
    }


def phase_of(cache: Cache) -> str:
    found = cache.compute_jobs.get(KEY)
    assert found is not None
    assert found.status.phase is not None
    return found.status.phase.value


def test_a_newer_version_replaces_an_older_one_whichever_comes_first(seen: Watcher) -> None:
    seen.cache.answered("ComputeJob", compute_job(12, phase="Running"))
    seen.cache.watched("ComputeJob", compute_job(11, phase="Queued"), deleted=False)
    assert phase_of(seen.cache) == "Running"
    seen.cache.watched("ComputeJob", compute_job(13, phase="Exporting"), deleted=False)
    assert phase_of(seen.cache) == "Exporting"


def test_versions_are_numbers_not_text(seen: Watcher) -> None:
    seen.cache.read("ComputeJob", compute_job(9, phase="Queued"))
    seen.cache.read("ComputeJob", compute_job(10, phase="Running"))
    assert phase_of(seen.cache) == "Running"


def test_the_echo_of_an_answer_is_no_change(seen: Watcher) -> None:
    seen.cache.answered("ComputeJob", compute_job(12))
    seen.cache.watched("ComputeJob", compute_job(12), deleted=False)
    assert seen.changes == [("ComputeJob", False, True)]


def test_what_was_deleted_does_not_come_back_by_a_late_answer(seen: Watcher) -> None:
    seen.cache.watched("ComputeJob", compute_job(10), deleted=False)
    seen.cache.watched("ComputeJob", compute_job(12), deleted=True)
    seen.cache.answered("ComputeJob", compute_job(11))
    assert seen.cache.compute_jobs.get(KEY) is None
    assert seen.cache.compute_jobs.of("a100") == []
    assert seen.changes[-1] == ("ComputeJob", True, False)


def test_a_new_object_of_the_same_name_is_another_object(seen: Watcher) -> None:
    seen.cache.watched("ComputeJob", compute_job(10), deleted=False)
    seen.cache.watched("ComputeJob", compute_job(14, uid="u2"), deleted=False)
    seen.cache.watched("ComputeJob", compute_job(12), deleted=True)  # of the old one, late
    found = seen.cache.compute_jobs.get(KEY)
    assert found is not None
    assert found.metadata.uid == "u2"


def test_a_list_drops_ghosts_but_nothing_that_is_newer_than_the_list(seen: Watcher) -> None:
    seen.cache.watched("ComputeJob", compute_job(10), deleted=False)
    seen.cache.listed("ComputeJob", [], "9")
    assert seen.cache.compute_jobs.get(KEY) is not None
    seen.cache.listed("ComputeJob", [], "20")
    assert seen.cache.compute_jobs.get(KEY) is None
    assert seen.changes[-1] == ("ComputeJob", True, False)


def test_an_index_follows_its_object(seen: Watcher) -> None:
    moved = compute_job(11)
    moved["spec"]["environmentRef"]["name"] = "h100"
    seen.cache.read("ComputeJob", compute_job(10))
    seen.cache.read("ComputeJob", moved)
    assert seen.cache.compute_jobs.of("a100") == []
    assert len(seen.cache.compute_jobs.of("h100")) == 1


def test_what_no_crd_would_admit_is_left_out_and_said(
    seen: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    broken = compute_job(10)
    broken["spec"]["nodes"] = "two"
    seen.cache.read("ComputeJob", broken)
    assert seen.cache.compute_jobs.all() == []
    assert "bob-trains can't be read" in caplog.text


def test_a_pod_s_last_words_are_kept_as_long_as_its_job(seen: Watcher) -> None:
    seen.cache.read("Job", job_body("run-1", version=1))
    seen.cache.watched("Pod", pod_body("run-1", version=2, phase="Running"), deleted=False)
    seen.cache.watched("Pod", pod_body("run-1", version=4, phase="Failed"), deleted=True)
    job = seen.cache.jobs.get(Key("work", "run-1"))
    assert job is not None
    (pod,) = seen.cache.pods_of(job)
    assert pod.gone
    assert pod.status.phase == "Failed"
    seen.cache.watched("Job", job_body("run-1", version=5), deleted=True)
    assert seen.cache.pods_of(job) == []


def test_plans_are_not_kept_in_memory(seen: Watcher) -> None:
    body = job_body("run-1")
    body["metadata"]["annotations"]["compute.posthuman.network/plan"] = "x" * 100_000
    seen.cache.read("Job", body)
    found = seen.cache.jobs.get(Key("work", "run-1"))
    assert found is not None
    assert found.metadata.compute_job == KEY
    assert list(found.metadata.annotations) == ["compute.posthuman.network/job"]


class NoLogs:
    """A client that has no log to show."""

    def stream_log(self, *address: object) -> NoReturn:
        raise NotFound("there is no such pod")


async def test_a_stranger_s_pod_with_our_labels_stops_nothing() -> None:
    """Whoever may make pods somewhere may label them as ours; the operator lists them at start."""
    reader = ProgressReader(NoLogs(), lambda job: None, lambda pod: True)

    def changed(kind: str, old: Object | None, new: Object | None) -> None:
        if isinstance(new, SeenPod):
            reader.pod_changed(new)

    cache = Cache(changed, UnseenWrites(Metrics()))
    body = pod_body("run-1", phase="Running")
    body["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] = "abc"
    cache.listed("Pod", [body], "5")
    assert len(cache.pods.all()) == 1
