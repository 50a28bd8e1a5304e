"""Two nodes of eight A100s: what a GPU job becomes, on a real API server and a real scheduler.

The nodes are kwok's: they exist in the API alone, and their pods, the staging one too, "run"
without running. Proved is what was asked for, that the API server took it, and where the scheduler
put it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from posthuman.api.meta import ANNOTATION_JOB
from tests.cluster import kwok
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import REPOSITORY
from tests.services.world import TENANT, World
from tests.story import bodies

pytestmark = pytest.mark.cluster

MANIFEST = REPOSITORY / "examples" / "cluster" / "a100.yaml"
STORAGE = REPOSITORY / "tests" / "story" / "manifests" / "played_storage.yaml"
FAKE_NODES = {"fake-a100-0", "fake-a100-1"}
KWOK = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
NAME = "on-a100s"


@pytest.fixture(scope="module")
def workers(world: World) -> Iterator[list[dict[str, Any]]]:
    """The two worker pods, once the scheduler has placed them."""
    kwok.up()
    kubectl("apply", "-f", STORAGE)
    try:
        world.ready_environment(environment())
        world.apply(job())
        world.recorder.wait(lambda: len(placed(world)) == 2, 120, "two placed workers")
        yield list(placed(world).values())
        kubectl("-n", TENANT, "delete", "computejob", NAME, "--wait=false")
    finally:
        kwok.down()
        kubectl("delete", "-f", STORAGE, "--wait=false")


def test_the_workers_are_placed_on_both_gpu_nodes(workers: list[dict[str, Any]]) -> None:
    assert {pod["spec"]["nodeName"] for pod in workers} == FAKE_NODES


def test_each_worker_takes_a_whole_node(workers: list[dict[str, Any]]) -> None:
    for pod in workers:
        limits = pod["spec"]["containers"][0]["resources"]["limits"]
        assert limits == {"nvidia.com/gpu": "8", "cpu": "88", "memory": "900Gi"}


def test_workers_select_and_tolerate_the_gpu_nodes(workers: list[dict[str, Any]]) -> None:
    for pod in workers:
        assert pod["spec"]["nodeSelector"] == {
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
            "kubernetes.io/arch": "amd64",
            "type": "kwok",
        }
        tolerated = [toleration.get("key") for toleration in pod["spec"]["tolerations"]]
        assert "nvidia.com/gpu" in tolerated


def test_workers_have_shared_memory_for_nccl(workers: list[dict[str, Any]]) -> None:
    for pod in workers:
        (volume,) = [v for v in pod["spec"]["volumes"] if v["name"] == "shared-memory"]
        assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Gi"}
        mounts = pod["spec"]["containers"][0]["volumeMounts"]
        assert "/dev/shm" in [mount["mountPath"] for mount in mounts]


def test_torchrun_spans_both_nodes_with_eight_processes_each(
    world: World, workers: list[dict[str, Any]]
) -> None:
    indices = set()
    for pod in workers:
        plan = json.loads(pod["metadata"]["annotations"]["compute.posthuman.network/plan"])
        assert (plan["nodes"], plan["processesPerNode"]) == (2, 8)
        assert plan["masterAddress"].startswith("10.")  # a ClusterIP: no name is needed
        indices.add(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"])
    assert indices == {"0", "1"}


def test_a_job_for_more_gpus_than_a_node_has_is_refused(
    world: World, workers: list[dict[str, Any]]
) -> None:
    body = job()
    body["metadata"]["name"], body["spec"]["gpusPerNode"] = "greedy", 16
    world.apply(body)
    greedy = world.recorder.finished_job(TENANT, "greedy", timeout_seconds=30)
    assert "spec.gpusPerNode 16 is more than a node's 8" in json.dumps(greedy["status"])


def environment() -> dict[str, Any]:
    """The example's, sent to nodes that don't exist."""
    body: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    body["spec"]["scheduling"]["tolerations"].append(KWOK)
    body["spec"]["scheduling"]["nodeSelector"]["type"] = "kwok"
    body["spec"]["workspace"]["storageClassName"] = "played"
    return body


def job() -> dict[str, Any]:
    """One of a builtin, so that torchrun starts it; prompts make an input unnecessary."""
    return bodies.compute_job(
        TENANT,
        NAME,
        environmentRef={"name": "a100"},
        algorithm={"builtin": {"name": "evaluate"}},
        parameters={"prompts": ["In the beginning"]},
        nodes=2,
        gpusPerNode=8,
    )


def placed(world: World) -> dict[str, dict[str, Any]]:
    """Worker pods that have a node, by name, whatever became of them since."""
    return {
        event.name: dict(event.body)
        for event in world.recorder.events("Pod")
        if event.body["spec"].get("nodeName") in FAKE_NODES
        and event.body["metadata"].get("annotations", {}).get(ANNOTATION_JOB) == f"{TENANT}/{NAME}"
        and event.body["metadata"]["labels"]["compute.posthuman.network/role"] == "run"
    }
