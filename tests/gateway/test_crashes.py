"""A gateway that dies at any effect of any request: the provider's retry ends where no death would.

Every write to the API server is a place to die, before it or after it.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from posthuman.api.job import Phase
from posthuman.errors import Conflict
from posthuman.gateway.ports import JobAccess
from posthuman.gateway.tending import tend
from tests.fakes.crashing import Crash, Crashing
from tests.gateway.provider import Body, raw_algorithm, workflow
from tests.gateway.test_shapes import COMPUTE, started
from tests.gateway.world import World

MAX_EFFECTS = 12


def picture(world: World) -> Any:
    """All that lasts of a world, but for versions."""
    jobs = [(key, job.spec, job.metadata.annotations) for key, job in world.access.all_jobs.items()]
    secrets = {
        key: (secret.content, secret.owner in _uids(world))
        for key, secret in world.access.secrets.items()
    }
    return jobs, secrets, world.access.nonces


def _uids(world: World) -> set[str]:
    return {job.metadata.uid for job in world.access.all_jobs.values()}


async def _before(world: World, method: str) -> Body:
    """What happened before the request, and the request."""
    purchase = world.provider.start(workflow=workflow(algorithm=raw_algorithm()))
    if method == "POST":
        return purchase
    async with world.client() as client:
        await client.post(COMPUTE, json=purchase)
    return world.provider.query()


async def _undisturbed(method: str) -> Any:
    world = World()
    request = await _before(world, method)
    async with world.client() as client:
        assert (await client.request(method, COMPUTE, json=request)).status_code == 200
    return picture(world)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_retry_ends_where_no_crash_would(method: str, after: bool) -> None:
    expected, crashes = await _undisturbed(method), 0
    for at in range(1, MAX_EFFECTS):
        world = World()
        request = await _before(world, method)
        dying = cast(JobAccess, Crashing(world.access, at, after))
        try:
            async with world.client(dying) as client:
                await client.request(method, COMPUTE, json=request)
            break
        except Crash:
            crashes += 1
        async with world.client() as client:
            answer = await client.request(method, COMPUTE, json=request)
        assert answer.status_code == 200
        assert picture(world) == expected
    assert crashes >= 2
    assert at < MAX_EFFECTS - 1


@pytest.mark.parametrize("after", [False, True])
async def test_without_a_retry_nothing_secret_stays(after: bool) -> None:
    """The job's own Secrets stay with it, and those of a job that was never made are swept."""
    for at in range(1, MAX_EFFECTS):
        world = World()
        request = await _before(world, "POST")
        try:
            async with world.client(cast(JobAccess, Crashing(world.access, at, after))) as client:
                await client.post(COMPUTE, json=request)
            break
        except Crash:
            world.clock.forward(601)
            await tend(world.gateway())
        owners = {secret.owner for secret in world.access.secrets.values()}
        assert owners == _uids(world)


async def test_two_replicas_at_once_make_one_job_of_one_order() -> None:
    for secret in (False, True):
        world = World()
        more: Body = {"workflow": workflow(algorithm=raw_algorithm())} if secret else {}
        bodies = [world.provider.start(**more) for _ in range(6)]
        async with world.client() as one, world.client() as other:
            clients = [one, other] * 3
            answers = await asyncio.gather(
                *(
                    client.post(COMPUTE, json=body)
                    for client, body in zip(clients, bodies, strict=True)
                )
            )
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
        assert len(world.access.all_jobs) == 1


async def test_a_retry_that_overtakes_its_first_try_gets_the_same_job() -> None:
    world = World()
    body = world.provider.start(workflow=workflow(algorithm=raw_algorithm()))
    async with world.client() as one, world.client() as other:
        answers = await asyncio.gather(*(c.post(COMPUTE, json=body) for c in (one, other, one)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()[0]["jobId"] for answer in answers}) == 1


async def test_the_operators_writes_do_not_keep_a_job_from_being_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        stale = world.only_job()
        world.access.advance(stale, gpu_seconds=1.0)
        monkeypatch.setattr(world.access, "jobs", lambda: [stale])  # a cache that lags
        answer = await client.put(COMPUTE, params=world.provider.query())
    assert answer.json()[0]["stopreq"] == 1
    assert world.only_job().spec.stop


async def test_a_later_run_holds_its_order_though_an_earlier_one_was_deleted() -> None:
    """The first run's name is free again then, and must not be taken beside the second."""
    world = World()
    async with world.client() as client:
        await started(world, client)
        first = world.only_job()
        world.access.advance(first, phase=Phase.SUCCEEDED)
        again = world.provider.start()
        second = (await client.post(COMPUTE, json=again)).json()[0]["jobId"]
        await world.access.delete_job(first.metadata.key)
        answer = await client.post(COMPUTE, json=world.provider.start())
        retried = await client.post(COMPUTE, json=again)
    assert answer.json() == {"error": "`agreementId` already in use for other job."}
    assert retried.json()[0]["jobId"] == second
    assert world.only_job().metadata.name == second


async def test_a_retry_after_the_jobs_end_is_no_new_run() -> None:
    world = World()
    body = world.provider.start()
    async with world.client() as client:
        first = await client.post(COMPUTE, json=body)
        world.access.advance(world.only_job(), phase=Phase.SUCCEEDED)
        again = await client.post(COMPUTE, json=body)
    assert again.json()[0]["jobId"] == first.json()[0]["jobId"]
    assert world.only_job().status.phase is Phase.SUCCEEDED


async def test_a_job_that_changes_too_fast_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503, which the provider tries again by itself; 409 it would hand on."""
    world = World()

    async def changed(*_: object, **__: object) -> None:
        raise Conflict("the object was modified")

    async with world.client() as client:
        await started(world, client)
        query = world.provider.query()
        with monkeypatch.context() as moment:
            moment.setattr(world.access, "patch_job", changed)
            assert (await client.put(COMPUTE, params=query)).status_code == 503
        assert (await client.put(COMPUTE, params=query)).json()[0]["stopreq"] == 1
