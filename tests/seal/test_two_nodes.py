"""A training over two pods under the seal: gloo really runs, and nothing else is let through."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Mapping
from typing import Any

import pytest

from posthuman.api.meta import ANNOTATION_JOB
from posthuman.cli.story.prepare import Data
from posthuman.store.upload import upload
from tests.cluster.kubectl import kubectl
from tests.services.world import TENANT, World
from tests.story import bodies
from tests.story.bodies import STRANGER
from tests.story.history import clashes, pods_of
from tests.story.installation import WORK_NAMESPACE
from tests.story.recorder import Body

pytestmark = pytest.mark.cluster

NAME = "two-nodes"
PARAMETERS: dict[str, Any] = {"steps": 8, "batchSize": 4, "blockLength": 64, "learningRate": 3e-3}


@pytest.fixture(scope="module")
def inputs(world: World, tiny: Data) -> list[dict[str, str]]:
    """The tiny model and text, as uploads of the stranger's."""
    objects = world.services.objects("s3://posthuman/tests")
    model, _ = asyncio.run(upload(objects, STRANGER.lower(), "tiny", tiny.model, "model"))
    text, _ = asyncio.run(upload(objects, STRANGER.lower(), "text", tiny.held_out, "dataset"))
    return [{"name": "model", "kind": "model", "upload": model}, {"name": "text", "upload": text}]


def submit(world: World, name: str, inputs: list[dict[str, str]], zero: int, **spec: int) -> None:
    """A training; `zero`: DeepSpeed's stage."""
    algorithm, parameters = {"builtin": {"name": "train"}}, {**PARAMETERS, "zero": zero}
    given = {"algorithm": algorithm, "inputs": inputs, "parameters": parameters, **spec}
    world.apply(bodies.compute_job(TENANT, name, **given))


@pytest.fixture(scope="module")
def trained(world: World, inputs: list[dict[str, str]]) -> Body:
    """The finished job of two pods."""
    submit(world, NAME, inputs, zero=3, nodes=2)
    submit(world, "two-ranks", inputs, zero=2, processesPerNode=2)
    submit(world, "alone", inputs, zero=0)
    return world.recorder.finished_job(TENANT, NAME, timeout_seconds=240)


@pytest.mark.parametrize("name", [NAME, "two-ranks"])
def test_losses_are_those_of_one_process(world: World, trained: Body, name: str) -> None:
    """ZeRO 3 over two pods and ZeRO 2 over two ranks of one, both against no ZeRO at all."""
    found, wanted = losses(world, name), losses(world, "alone")
    assert len(wanted) == PARAMETERS["steps"]
    assert found == pytest.approx(wanted, rel=1e-4)


def losses(world: World, name: str) -> list[float]:
    """By step, of a job that succeeded."""
    job = world.recorder.finished_job(TENANT, name, timeout_seconds=240)
    assert job["status"]["phase"] == "Succeeded", job["status"]
    rows = csv.DictReader(world.result(job, "loss.csv").decode().splitlines())
    return [float(row["loss"]) for row in rows]


def test_two_pods_train_one_model_together(world: World, trained: Body) -> None:
    assert trained["status"]["phase"] == "Succeeded", trained["status"]
    report = json.loads(world.result(trained, "report.json"))
    metrics = report["metrics"]
    assert metrics["heldOutLossAfter"] < metrics["heldOutLossBefore"]
    manifest = world.manifest(trained)
    assert manifest.model is not None
    logs = [file.path for file in manifest.files if file.path.startswith("logs/")]
    assert logs == ["logs/algorithm-node-1.log", "logs/algorithm.log"]


def test_both_pods_were_workers_of_one_attempt(world: World, trained: Body) -> None:
    events = world.recorder.events()
    roles = sorted(pod.role for pod in pods_of(events, f"{TENANT}/{NAME}"))
    assert roles == ["export", "run", "run", "stage"]
    assert len(trained["status"]["attempts"]) == 1
    assert clashes(events) == []


def test_both_pods_were_sealed_before_the_algorithm_began(world: World, trained: Body) -> None:
    pods = [event.body for event in world.recorder.events("Pod") if is_worker(event.body)]
    assert pods
    for pod in pods:
        (seal,) = pod["spec"]["initContainers"]
        assert seal["name"] == "seal"
        assert seal["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
        (worker,) = pod["spec"]["containers"]
        assert "add" not in worker["securityContext"]["capabilities"]


def test_peers_and_nobody_else_may_talk_by_network_policy_too(world: World, trained: Body) -> None:
    """As accepted by the API server; the test cluster's CNI enforces none."""
    policies = {
        event.name: event.body["spec"]
        for event in world.recorder.events("NetworkPolicy")
        if event.body["metadata"].get("annotations", {}).get(ANNOTATION_JOB) == f"{TENANT}/{NAME}"
    }
    (spec,) = policies.values()
    ranks = spec["podSelector"]["matchLabels"]
    assert ranks["batch.kubernetes.io/job-name"].startswith(f"{NAME}-")
    peers = [{"podSelector": {"matchLabels": ranks}}]
    assert spec["ingress"] == [{"from": peers}]
    assert spec["egress"][0] == {"to": peers}
    others = [port["port"] for rule in spec["egress"][1:] for port in rule["ports"]]
    assert set(others) == {53}  # the seal asks for its peers' names, before it closes


def test_the_work_namespace_denies_everything_but_staging_and_exporting(world: World) -> None:
    listed = kubectl("-n", WORK_NAMESPACE, "get", "networkpolicies", "-o", "json",
                     "-l", "app.kubernetes.io/managed-by=Helm")  # fmt: skip
    specs = [found["spec"] for found in json.loads(listed)["items"]]
    (deny,) = [spec for spec in specs if not spec["podSelector"]]
    assert (sorted(deny["policyTypes"]), set(deny)) == (
        ["Egress", "Ingress"],
        {"podSelector", "policyTypes"},
    )
    (outbound,) = [spec for spec in specs if spec["podSelector"]]
    (roles,) = outbound["podSelector"]["matchExpressions"]
    assert (roles["operator"], roles["values"]) == ("In", ["stage", "export"])
    assert outbound["policyTypes"] == ["Egress"]
    blocks = [peer["ipBlock"] for rule in outbound["egress"] for peer in rule["to"]
              if "ipBlock" in peer]  # fmt: skip
    assert "169.254.0.0/16" in blocks[0]["except"]


def is_worker(body: Mapping[str, Any]) -> bool:
    metadata = body["metadata"]
    role = metadata.get("labels", {}).get("compute.posthuman.network/role")
    return bool(role == "run" and metadata["annotations"].get(ANNOTATION_JOB) == f"{TENANT}/{NAME}")
