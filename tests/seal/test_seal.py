"""What a hostile algorithm finds when it looks for a way out, under the seal that is in the pod."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.cluster import facts
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import kubectl
from tests.seal.probe import LISTEN_PORT
from tests.services.world import TENANT, World
from tests.story import bodies
from tests.story.installation import WORK_NAMESPACE, image
from tests.story.services import NAMESPACE

pytestmark = pytest.mark.cluster

UNDO = (
    "ip link set eth0 up",
    "ip route add default via 10.244.0.1",
    "nft flush ruleset",
    "nft delete table inet posthuman_seal",
)
READ_ONLY = ("/probe", "/opt/posthuman/probe", "/data/inputs/probe/probe.py", "/data/inputs/new")
LOCKED_OUT = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

Found = Mapping[str, Any]


@pytest.fixture(scope="module")
def targets(world: World) -> dict[str, tuple[str, int]]:
    """What a worker must not reach, by address: names don't resolve anyway."""
    files = world.recorder.find("Pod", NAMESPACE, "files")
    assert files is not None
    return {
        "the API server": (service("default", "kubernetes"), 443),
        "the API server on the node": (facts.read()["NODE_IP"], 6443),
        "the S3 server": (service(NAMESPACE, "s3"), 7070),
        "the chain": (service(NAMESPACE, "chain"), 8545),
        "the operator": (service("posthuman-system", "posthuman-operator"), 8080),
        "another pod": (files["status"]["podIP"], 8080),
        "the metadata service": ("169.254.169.254", 80),
        "the internet": ("1.1.1.1", 443),
    }


@pytest.fixture(scope="module")
def alone(world: World, targets: dict[str, tuple[str, int]]) -> Found:
    """What the probe found in a job of one pod."""
    world.apply(job(world, "looks-alone", targets, nodes=1))
    finished = world.recorder.finished_job(TENANT, "looks-alone")
    assert finished["status"]["phase"] == "Succeeded", finished["status"]
    found: Found = json.loads(world.result(finished, "probe-0.json"))
    return found


@pytest.fixture(scope="module")
def inbound(world: World, targets: dict[str, tuple[str, int]]) -> Mapping[str, str]:
    """A job of two pods that listen: what another pod finds when it calls, by rank."""
    world.apply(job(world, "look-together", targets, nodes=2))
    world.recorder.wait(
        lambda: progress(world, "look-together") == 100, 120, "both pods to have looked"
    )
    addresses = {pod_rank(pod): pod["status"]["podIP"] for pod in workers(world, "look-together")}
    found = {rank: call(address, LISTEN_PORT) for rank, address in addresses.items()}
    stop = '{"spec": {"stop": true}}'
    kubectl("-n", TENANT, "patch", "computejob", "look-together", "--type=merge", "-p", stop)
    return found


@pytest.fixture(scope="module")
def together(world: World, inbound: Mapping[str, str]) -> list[Found]:
    """What the probes of the two pods found; a stopped job's outputs are kept."""
    finished = world.recorder.finished_job(TENANT, "look-together")
    assert finished["status"]["phase"] == "Stopped", finished["status"]
    return [json.loads(world.result(finished, f"probe-{rank}.json")) for rank in (0, 1)]


def test_the_targets_can_be_reached_by_a_pod_without_a_seal(
    world: World, targets: dict[str, tuple[str, int]]
) -> None:
    """Or the others of these tests would prove nothing."""
    here = ("the API server", "the API server on the node", "the S3 server", "the chain",
            "the operator", "another pod")  # fmt: skip
    assert {name: call(*targets[name]) for name in here} == dict.fromkeys(here, "connected")


def test_a_worker_reaches_nothing(alone: Found) -> None:
    assert set(alone["targets"].values()) == {"OSError: [Errno 101] Network is unreachable"}


def test_a_worker_can_look_up_no_name(alone: Found) -> None:
    assert alone["name"].startswith("gaierror")
    assert not [answer for answer in alone["resolvers"].values() if answer.startswith("answered")]


def test_a_worker_has_no_interface_up_but_loopback(alone: Found) -> None:
    up = {name for name, state in alone["interfaces"].items() if state not in ("down",)}
    assert up == {"lo"}


def test_a_worker_holds_no_token_and_no_credential(alone: Found) -> None:
    assert alone["token"] is False
    held = [name for name in alone["variables"] if re.search("AWS|KEY|SECRET|TOKEN|PASS", name)]
    assert held == []


def test_a_worker_is_an_ordinary_user_without_capabilities_under_seccomp(alone: Found) -> None:
    status = alone["status"]
    assert alone["user"][:2] == [65532, 65532]
    assert 0 not in alone["user"]
    assert {name: int(status[name], 16) for name in LOCKED_OUT} == dict.fromkeys(LOCKED_OUT, 0)
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"


def test_the_root_and_the_inputs_are_read_only(alone: Found) -> None:
    assert set(alone["writes"]) == set(READ_ONLY)
    for path, answer in alone["writes"].items():
        assert "Read-only file system" in answer or "Permission denied" in answer, (path, answer)
    assert "Read-only file system" in alone["writes"]["/data/inputs/new"]


def test_a_worker_cannot_undo_the_seal(alone: Found, together: list[Found]) -> None:
    for found in (alone, *together):
        for line, answer in found["undo"].items():
            assert "not permitted" in answer and not answer.startswith("0:"), (line, answer)
        assert found["unshare"] == "Operation not permitted"


def test_the_pods_of_one_job_reach_each_other_and_nothing_else(together: list[Found]) -> None:
    for found in together:
        assert found["peer"] == "connected"
        assert "connected" not in found["targets"].values(), found["targets"]
        assert found["name"].startswith("gaierror")
        assert not [said for said in found["resolvers"].values() if said.startswith("answered")]


def test_another_pod_cannot_call_a_worker(inbound: Mapping[str, str]) -> None:
    assert set(inbound) == {"0", "1"}
    assert "connected" not in inbound.values(), inbound


def job(world: World, name: str, targets: dict[str, tuple[str, int]], nodes: int) -> dict[str, Any]:
    """The probe as an algorithm of one's own, brought in as an input."""
    plan = {
        "targets": targets,
        "resolvers": resolvers(),
        "writes": READ_ONLY,
        "undo": UNDO,
        "meet": nodes > 1,
    }
    algorithm = bodies.container(image("jobkit"), "python", "/data/inputs/probe/probe.py")
    algorithm["image"]["args"] = [json.dumps(plan)]
    probe = {"name": "probe", "kind": "file", "uri": f"http://{world.files_address}/probe.py"}
    resources = {"cpu": "200m", "memory": "128Mi"}
    return bodies.compute_job(
        TENANT, name, algorithm=algorithm, inputs=[probe], nodes=nodes, resources=resources
    )


def resolvers() -> list[str]:
    """Where the cluster's DNS may be: on the node, or behind the usual Service."""
    listed = kubectl("-n", "kube-system", "get", "services", "-l", "k8s-app=kube-dns",
                     "-o", "jsonpath={.items[*].spec.clusterIP}")  # fmt: skip
    return [facts.read()["NODE_IP"], *listed.split()]


def call(host: str, port: int) -> str:
    """`connected`, or why a pod without a seal can't connect."""
    program = f"import socket; socket.create_connection(({host!r}, {port}), 3)"
    try:
        kubectl("-n", NAMESPACE, "exec", "files", "--", "python", "-c", program)
        return "connected"
    except ClusterError as error:
        return str(error).splitlines()[-1]


def service(namespace: str, name: str) -> str:
    """A Service's address."""
    return kubectl("-n", namespace, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")


def progress(world: World, name: str) -> float | None:
    """Percent."""
    found = world.recorder.find("ComputeJob", TENANT, name) or {}
    percent: float | None = found.get("status", {}).get("progress", {}).get("percent")
    return percent


def workers(world: World, name: str) -> list[Mapping[str, Any]]:
    """The pods of a job's run."""
    listed = kubectl("-n", WORK_NAMESPACE, "get", "pods", "-o", "json",
                     "-l", "compute.posthuman.network/role=run")  # fmt: skip
    annotation = "compute.posthuman.network/job"
    return [pod for pod in json.loads(listed)["items"]
            if pod["metadata"]["annotations"][annotation] == f"{TENANT}/{name}"]  # fmt: skip


def pod_rank(pod: Mapping[str, Any]) -> str:
    """Its index in the Job."""
    return str(pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"])
