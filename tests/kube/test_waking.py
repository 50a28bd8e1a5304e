"""Whom a change wakes, through the cache that the watches fill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from posthuman.api.meta import Key
from posthuman.kube.cache import Cache
from posthuman.kube.lag import UnseenWrites
from posthuman.kube.waking import wake_for
from posthuman.metrics import Metrics
from tests.builders import asset, environment, job
from tests.kube.objects import job_body, pod_body
from tests.kube.worlds import plain


class Bench:
    """A cache whose changes wake a list."""

    def __init__(self) -> None:
        self.woken: list[tuple[str, Key]] = []
        self.cache = Cache(
            lambda kind, old, new: wake_for(self.cache, self.wake, kind, old, new),
            UnseenWrites(Metrics()),
        )
        self._version = 0

    def wake(self, kind: str, key: Key) -> None:
        self.woken.append((kind, key))

    def show(self, kind: str, resource: Any, deleted: bool = False, **status: Any) -> set[str]:
        """A watch event; returns who was woken by it, as Kind namespace/name."""
        self._version += 1
        body: dict[str, Any] = plain(resource)
        body["metadata"] |= {"uid": f"uid-{resource.metadata.key}"}
        body["metadata"] |= {"resourceVersion": str(self._version), "generation": 1}
        body["status"] = status
        self.woken.clear()
        self.cache.watched(kind, body, deleted)
        return {f"{woken} {key}" for woken, key in self.woken}


@pytest.fixture
def bench() -> Bench:
    return Bench()


READY: Mapping[str, Any] = {
    "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}],
}


@pytest.mark.parametrize(("kind", "body"), [("Job", job_body()), ("Pod", pod_body())])
def test_a_step_s_job_and_pods_wake_their_compute_job(bench: Bench, kind: str, body: Any) -> None:
    bench.cache.watched(kind, body, deleted=False)
    assert bench.woken == [("ComputeJob", Key("bob", "bob-trains"))]


def test_another_s_pod_wakes_nobody(bench: Bench) -> None:
    body = pod_body()
    body["metadata"]["annotations"] = {}
    bench.cache.watched("Pod", body, deleted=False)
    assert bench.woken == []


def test_a_job_wakes_itself_when_it_comes_changes_and_goes(bench: Bench) -> None:
    own = {"ComputeJob bob/bob-trains"}
    assert bench.show("ComputeJob", job()) == own
    assert bench.show("ComputeJob", job(), phase="Pending") == own
    assert bench.show("ComputeJob", job(), deleted=True) == own


def test_a_job_that_moves_on_lets_those_in_line_look(bench: Bench) -> None:
    bench.show("ComputeJob", job("waits"), phase="Queued")
    bench.show("ComputeJob", job("runs"), phase="Running")
    assert bench.show("ComputeJob", job("runs"), phase="Exporting") == {
        "ComputeJob bob/runs",
        "ComputeJob bob/waits",
    }
    assert bench.show("ComputeJob", job("runs"), phase="Exporting") == {"ComputeJob bob/runs"}


def test_an_environment_wakes_its_jobs_when_it_becomes_ready_not_when_it_counts(
    bench: Bench,
) -> None:
    bench.show("ComputeJob", job())
    a100 = environment()
    everyone = {"ComputeEnvironment a100", "ComputeJob bob/bob-trains"}
    assert bench.show("ComputeEnvironment", a100) == everyone
    assert bench.show("ComputeEnvironment", a100, **READY) == everyone
    counted = bench.show("ComputeEnvironment", a100, **READY, runningJobs=3)
    assert counted == {"ComputeEnvironment a100"}


def test_an_environment_that_becomes_ready_wakes_what_waits_to_be_published(bench: Bench) -> None:
    bench.show("ModelAsset", asset("waits"))
    bench.show("ModelAsset", asset("done"), publishedAt="2026-01-01T12:00:00Z")
    woken = bench.show("ComputeEnvironment", environment(), **READY)
    assert woken == {"ComputeEnvironment a100", "ModelAsset alice/waits"}


def test_an_asset_wakes_the_job_that_waits_for_it(bench: Bench) -> None:
    wanted = {
        "name": "model",
        "kind": "model",
        "assetRef": {"namespace": "alice", "name": "gpt2"},
    }
    bench.show("ComputeJob", job(inputs=[wanted]), phase="Pending")
    bench.show("ComputeJob", job("other"), phase="Pending")
    assert bench.show("ModelAsset", asset()) == {
        "ModelAsset alice/gpt2",
        "ComputeJob bob/bob-trains",
    }


def test_an_asset_wakes_the_job_that_waits_for_its_did(bench: Bench) -> None:
    wanted = {"name": "model", "kind": "model", "did": asset().status.did}
    bench.show("ComputeJob", job(inputs=[wanted]), phase="Pending")
    assert bench.show("ModelAsset", asset()) == {"ModelAsset alice/gpt2"}
    assert bench.show("ModelAsset", asset(), did=asset().status.did, **READY) == {
        "ModelAsset alice/gpt2",
        "ComputeJob bob/bob-trains",
    }
