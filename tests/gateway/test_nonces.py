"""A nonce belongs to its request: retries are answered, replays refused, also after restarts."""

from __future__ import annotations

import random

import httpx
import pytest

from posthuman.gateway.nonces import SignedRequest
from posthuman.gateway.tending import tend
from tests.builders import ALICE
from tests.gateway.provider import Body, raw_algorithm, workflow
from tests.gateway.test_shapes import COMPUTE, started
from tests.gateway.world import World


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 400 and "Invalid signature" in answer.json()["error"]


async def test_the_same_request_again_gets_the_same_answer() -> None:
    world = World()
    async with world.client() as client:
        body = world.provider.start()
        first, second = [await client.post(COMPUTE, json=body) for _ in range(2)]
        assert first.json() == second.json()
        job_id = first.json()[0]["jobId"]
        for method in ("GET", "PUT", "DELETE"):
            query = world.provider.query(job_id=job_id)
            answers = [await client.request(method, COMPUTE, params=query) for _ in range(2)]
            assert answers[0].content == answers[1].content


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_purchases_nonce_serves_no_other_purchase(restarted: bool) -> None:
    world = World()
    body = world.provider.start()
    async with world.client() as client:
        await client.post(COMPUTE, json=body)
        other = body | {"agreementId": "0xanother"}
        if not restarted:
            assert refused(await client.post(COMPUTE, json=other))
    if restarted:
        async with world.client() as client:
            assert refused(await client.post(COMPUTE, json=other))
    assert len(world.access.all_jobs) == 1


async def test_a_stops_nonce_stops_nothing_else_after_a_restart() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        query = world.provider.query()
        await client.put(COMPUTE, params=query)
    async with world.client() as client:
        assert refused(await client.delete(COMPUTE, params=query))
        changed = {**query, "documentId": "another"}
        assert refused(await client.put(COMPUTE, params=changed))
        assert (await client.put(COMPUTE, params=query)).status_code == 200


async def test_a_reads_nonce_changes_nothing() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        query = world.provider.query()
        assert (await client.get(COMPUTE, params=query)).status_code == 200
        assert refused(await client.put(COMPUTE, params=query))
    assert not world.only_job().spec.stop


async def test_a_changes_nonce_reads_nothing_else() -> None:
    world = World()
    body = world.provider.start()
    async with world.client() as client:
        await client.post(COMPUTE, json=body)
        read = {name: body[name] for name in ("owner", "nonce", "providerSignature")}
        assert refused(await client.get(COMPUTE, params=read))


async def test_what_nobody_can_use_any_more_is_forgotten() -> None:
    world = World()
    gateway = world.gateway()
    for _ in range(3):
        signed = SignedRequest(
            signer="0x1", nonce=world.provider.nonce(), method="GET", route="/", arguments=b""
        )
        await gateway.nonces.bind(signed, changes=False)
        world.clock.forward(301)
    assert len(gateway.nonces) == 1


async def test_reads_cost_no_write() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        before = world.access.writes
        for _ in range(5):
            await client.get(COMPUTE, params=world.provider.query())
            await client.get("/api/v1/operator/environments", params={"chainId": 1})
    assert world.access.writes == before


async def test_calls_may_come_out_of_order() -> None:
    """A threaded provider's do; "not older than the last" would refuse a third of them."""
    world = World()
    bodies = [world.provider.start(agreementId=f"0x{i:02}") for i in range(20)]
    random.Random(7).shuffle(bodies)
    async with world.client() as client:
        answers = [await client.post(COMPUTE, json=body) for body in bodies]
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_nonces_of_another_time_are_refused(seconds: int) -> None:
    world = World()
    body = world.provider.start()
    world.clock.forward(-seconds)
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=body)
    assert refused(answer)
    assert "time.time_ns()" in answer.json()["error"]


@pytest.mark.parametrize("nonce", ["1700000000.25", "0x1", "", None, [1], True, 1.8e18, -5])
async def test_nonces_that_are_no_whole_number(nonce: object) -> None:
    world = World()
    body = world.provider.start(nonce=nonce)
    body["providerSignature"] = world.provider.sign(f"{body['owner']}{nonce}")
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=body)
    assert answer.status_code == 400


async def test_an_int_and_its_text_are_one_nonce() -> None:
    world = World()
    body = world.provider.start()
    async with world.client() as client:
        assert (await client.post(COMPUTE, json=body)).status_code == 200
        again = body | {"nonce": str(body["nonce"]), "owner": ALICE}
        again["providerSignature"] = world.provider.sign(f"{ALICE}{body['nonce']}")
        assert refused(await client.post(COMPUTE, json=again))


async def test_old_nonces_are_forgotten_and_secrets_that_no_job_owns_with_them() -> None:
    world = World()
    raw = workflow(algorithm=raw_algorithm())
    async with world.client() as client:
        kept: Body = await started(world, client, workflow=raw)
    orphan = next(iter(world.access.secrets.values()))
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=world.provider.start(workflow=raw))
        assert answer.status_code == 400
    world.clock.forward(601)
    await tend(world.gateway())
    assert not world.access.nonces
    assert list(world.access.secrets.values()) == [orphan]
    assert orphan.owner == world.only_job().metadata.uid
    assert kept["jobId"] == world.only_job().metadata.name
