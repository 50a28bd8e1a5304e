"""What a job has in the work namespace, on the real API server: ownership, crashes, the story."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from posthuman.errors import TransientError
from posthuman.jobs.steps import Anchor
from posthuman.kube.render import anchor_manifest
from posthuman.kube.resources import (
    CLAIMS,
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    POLICIES,
    SERVICES,
    Resource,
)
from posthuman.ports import JobEvent
from tests.builders import job as a_job
from tests.kube.builders import a_run, a_stage, an_anchor
from tests.kube.crds import apply_crds
from tests.kube.worlds import RealWorld, in_world, real_world

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def kubeconfig(cluster_facts: Mapping[str, str]) -> Path:
    return apply_crds(cluster_facts)


@pytest.fixture
async def world(kubeconfig: Path) -> AsyncIterator[RealWorld]:
    async with real_world(kubeconfig) as world:
        yield world


def anchor_in(world: RealWorld) -> Anchor:
    return msgspec.structs.replace(an_anchor(namespace=world.work, uid=""), workspace_size="1Mi")


async def names(world: RealWorld, resource: Resource) -> dict[str, Any]:
    """Name → the one owner's UID."""
    found = await world.client.list(resource, world.work, "app.kubernetes.io/managed-by")
    owners = [body["metadata"].get("ownerReferences", [{}]) for body in found["items"]]
    uids = [owner[0].get("uid") for owner in owners]
    return dict(zip([body["metadata"]["name"] for body in found["items"]], uids, strict=True))


async def test_the_anchor_owns_everything(world: RealWorld) -> None:
    anchor = anchor_in(world)
    await world.cluster.create_anchor(anchor)
    await world.cluster.create_step(anchor, a_stage(text="x" * 200_000))  # a long plan
    await world.cluster.create_step(anchor, a_run(nodes=2))
    body = await world.client.get(CONFIG_MAPS, world.work, anchor.name)
    uid = body["metadata"]["uid"]
    assert await names(world, CLAIMS) == {"job-1234-workspace": uid}
    assert await names(world, JOBS) == {"job-1234-stage-1": uid, "job-1234-run-1": uid}
    assert await names(world, SERVICES) == {
        "job-1234-run-1-master": uid,
        "job-1234-run-1-peers": uid,
    }
    assert await names(world, POLICIES) == {"job-1234-run-1-peers": uid}
    maps = await names(world, CONFIG_MAPS)
    assert maps == {"job-1234": None, "job-1234-stage-1-plan": uid}


async def test_a_crash_between_anchor_and_workspace_heals(world: RealWorld) -> None:
    anchor = anchor_in(world)
    await world.client.create(CONFIG_MAPS, anchor_manifest(anchor))
    await world.cluster.create_step(anchor, a_stage())
    assert list(await names(world, CLAIMS)) == ["job-1234-workspace"]


async def test_a_crash_between_services_and_job_heals(world: RealWorld) -> None:
    anchor = anchor_in(world)
    await world.cluster.create_anchor(anchor)
    await world.cluster.create_step(anchor, a_run(nodes=2))
    service = await world.client.get(SERVICES, world.work, "job-1234-run-1-master")
    options = {"propagationPolicy": "Background"}
    await world.client.delete(JOBS, world.work, "job-1234-run-1", options)
    await world.cluster.create_step(anchor, a_run(nodes=2))
    body = await world.client.get(JOBS, world.work, "job-1234-run-1")
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    plan = msgspec.json.decode(annotations["compute.posthuman.network/plan"])
    assert plan["masterAddress"] == service["spec"]["clusterIP"]


async def test_no_step_without_its_anchor(world: RealWorld) -> None:
    with pytest.raises(TransientError, match=r"owns the job's parts, is gone"):
        await world.cluster.create_step(anchor_in(world), a_stage())
    assert await names(world, JOBS) == {}


async def test_a_line_of_the_story_is_told_once(world: RealWorld) -> None:
    await world.create(in_world(world, a_job()))
    await world.settle()
    (job,) = [
        found
        for found in world.cache.compute_jobs.all()
        if found.metadata.namespace == world.tenant
    ]
    event = JobEvent(
        kind="ComputeJob",
        key=job.metadata.key,
        uid=job.metadata.uid,
        reason="ImagePullBackOff",
        message="é" * 5000,  # more than the API server takes
        warning=True,
    )
    for _ in range(3):
        await world.cluster.emit(event)

    async def told() -> list[Any]:
        found = await world.client.list(EVENTS, world.tenant)
        return [body for body in found["items"] if body["reason"] == "ImagePullBackOff"]

    async with asyncio.timeout(10):
        while not await told():  # noqa: ASYNC110 (the API server sets no asyncio.Event)
            await asyncio.sleep(0.1)
    await world.cluster.close()
    (event_body,) = await told()
    assert event_body["type"] == "Warning"
    assert event_body["involvedObject"]["uid"] == job.metadata.uid
