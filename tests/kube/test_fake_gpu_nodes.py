"""A job for 2 nodes of 8 A100s, scheduled on two fake ones: kwok plays their kubelets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from posthuman.api.environment import Scheduling
from posthuman.jobs.steps import Resources, Step
from posthuman.kube.resources import PODS, Resource
from tests.kube.builders import A100, GPU_TOLERATION, a_run, an_anchor, an_environment
from tests.kube.worlds import RealWorld, real_world

pytestmark = pytest.mark.cluster
VOLUMES = Resource("/api/v1", "persistentvolumes", "PersistentVolume")
FAKE_TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}


@pytest.fixture(scope="module")
def fake_nodes(cluster_facts: Mapping[str, str]) -> Iterator[Path]:
    """Two nodes that exist in the API only; the kubeconfig."""
    kwok("up")
    yield Path(cluster_facts["KUBECONFIG"])
    kwok("down")


def kwok(verb: str) -> None:
    command = [sys.executable, "-m", "tests.cluster", "kwok", verb]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
async def shared_volume(world: RealWorld) -> AsyncIterator[str]:
    """A volume that every node can mount, as far as the scheduler knows; its storage class."""
    name = f"shared-{world.work}"
    spec = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteMany"],
        "storageClassName": name,
        "nfs": {"server": "192.0.2.1", "path": "/"},  # never mounted: the kubelets are played
    }
    await world.client.create(VOLUMES, {"metadata": {"name": name}, "spec": spec})
    yield name
    await world.client.delete(VOLUMES, "", name)


@pytest.fixture
async def world(fake_nodes: Path) -> AsyncIterator[RealWorld]:
    async with real_world(fake_nodes) as world:
        yield world


def two_nodes() -> Step:
    scheduling = Scheduling(
        node_selector={"type": "kwok"}, tolerations=(GPU_TOLERATION, FAKE_TOLERATION)
    )
    return a_run(
        an_environment(hardware=A100, scheduling=scheduling),
        nodes=2,
        processes=8,
        resources=Resources(cpu="90", memory="900Gi", gpus=8, shared_memory="64Gi"),
    )


async def scheduled_pods(world: RealWorld, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            found = await world.client.list(PODS, world.work)
            pods = [pod for pod in found["items"] if pod["spec"].get("nodeName")]
            if len(pods) == count:
                return pods
            await asyncio.sleep(0.2)


async def test_each_rank_gets_a_node_of_its_own_with_all_its_gpus(
    world: RealWorld, shared_volume: str
) -> None:
    step = two_nodes()
    anchor = msgspec.structs.replace(
        an_anchor(namespace=world.work, uid=""),
        workspace_size="1Mi",
        access_mode="ReadWriteMany",
        storage_class_name=shared_volume,
    )
    await world.cluster.create_anchor(anchor)
    await world.cluster.create_step(anchor, step)
    pods = await scheduled_pods(world, 2)
    assert {pod["spec"]["nodeName"] for pod in pods} == {"fake-a100-0", "fake-a100-1"}
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
        assert pod["spec"]["nodeSelector"]["nvidia.com/gpu.product"] == "NVIDIA-A100-SXM4-80GB"
        assert "/dev/shm" in [mount["mountPath"] for mount in container["volumeMounts"]]
        plan = pod["metadata"]["annotations"]["compute.posthuman.network/plan"]
        launch = msgspec.json.decode(plan)
        assert (launch["nodes"], launch["processesPerNode"]) == (2, 8)
        assert launch["masterAddress"].count(".") == 3  # rank 0's ClusterIP, known beforehand
