"""Bodies, methods and names that somebody sends who means ill."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from tests.gateway.test_shapes import COMPUTE, PREFIX, started
from tests.gateway.world import NAMESPACE, World

NO_UTF8 = b'{"owner":"\xff"}'
DEEP = b'{"owner":' + b"[" * 100_000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", COMPUTE),
        ("POST", COMPUTE),
        ("PUT", COMPUTE),
        ("DELETE", COMPUTE),
        ("GET", f"{PREFIX}/getResult"),
        ("GET", f"{PREFIX}/environments"),
        ("POST", "/api/v1/jobs"),
    ],
)
async def test_a_body_that_is_no_text_is_the_callers_fault(method: str, path: str) -> None:
    async with World().client() as client:
        answer = await client.request(method, path, content=NO_UTF8)
    assert answer.status_code in (400, 401), answer.text


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.mark.parametrize("body", [NO_UTF8, DEEP])
async def test_a_body_of_unknown_length_is_looked_at_too(body: bytes) -> None:
    async with World().client() as client:
        answer = await client.request("GET", COMPUTE, content=in_pieces(body))
    assert answer.status_code == 400, answer.text


async def test_methods_that_nobody_knows_make_no_metrics() -> None:
    world = World()
    async with world.client() as client:
        for number in range(20):
            for path in (COMPUTE, "/nowhere"):
                await client.request(f"X{number}", path)
        page = (await client.get("/metrics")).text
    assert 'method="X' not in page


async def test_a_tenants_job_of_the_same_name_hides_no_results() -> None:
    """Who may write to another of the gateway's namespaces knows the order, and so the name."""
    forged = await forged_in("bob")
    world = World()
    forged = await world.access.create_job(forged)
    world.clock.forward(1)
    async with world.client() as client:
        status = await started(world, client)
        bought = world.access.all_jobs[Key(NAMESPACE, status["jobId"])]
        world.finish(forged, {"report.json": b"forged"})
        world.finish(bought, {"report.json": b"true"})
        asked = world.provider.result(status["jobId"], 0)
        answer = await client.get(f"{PREFIX}/getResult", params=asked)
        told = (await client.get(COMPUTE, params=world.provider.query())).json()
    assert answer.content == b"true"
    assert len(told) == 1


async def forged_in(namespace: str) -> ComputeJob:
    """The job that the purchase to come will make, in a namespace of somebody else's."""
    world = World()
    async with world.client() as client:
        await started(world, client)
    job = world.only_job()
    return replace(job, metadata=replace(job.metadata, namespace=namespace))
