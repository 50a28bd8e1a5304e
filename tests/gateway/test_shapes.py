"""Every route's answers and errors, as Ocean's provider and its clients expect them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from posthuman.api.job import Phase
from tests.builders import BOB
from tests.gateway.provider import (
    ALGORITHM_DID,
    ALGORITHM_ORDER,
    CHAIN_ID,
    DATA_DID,
    Body,
    raw_algorithm,
    workflow,
)
from tests.gateway.world import NAMESPACE, World

PREFIX = "/api/v1/operator"
COMPUTE = f"{PREFIX}/compute"
UPSTREAM_FIELDS = [
    "agreementId",
    "jobId",
    "owner",
    "status",
    "statusText",
    "dateCreated",
    "dateFinished",
    "results",
    "stopreq",
    "removed",
    "algoDID",
    "inputDID",
]


async def started(world: World, client: httpx.AsyncClient, **more: Any) -> Body:
    """A job was bought: its status object."""
    answer = await client.post(COMPUTE, json=world.provider.start(**more))
    assert answer.status_code == 200, answer.text
    [status] = answer.json()
    found: Body = status
    return found


async def test_a_purchase_is_told_at_once() -> None:
    world = World()
    async with world.client() as client:
        status = await started(world, client)
    assert list(status)[: len(UPSTREAM_FIELDS)] == UPSTREAM_FIELDS
    told = {name: status[name] for name in UPSTREAM_FIELDS}
    assert told == {
        "agreementId": ALGORITHM_ORDER,
        "jobId": world.only_job().metadata.name,
        "owner": BOB,
        "status": 1,
        "statusText": "Warming up",
        "dateCreated": "1767268800",
        "dateFinished": None,
        "results": "",
        "stopreq": 0,
        "removed": 0,
        "algoDID": ALGORITHM_DID,
        "inputDID": [DATA_DID],
    }


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"workflow": {}},
            "`workflow` is required in the payload and must include workflow stages",
        ),
        ({"environment": "some inexistent env"}, "Environment invalid or does not exist"),
        ({"chainId": 1}, "Environment invalid or does not exist"),
        ({"workflow": {"stages": []}}, "Missing stages"),
        ({"workflow": {"nothing": 1}}, "Missing stages"),
        ({"workflow": {"stages": [{}, {}]}}, "Multiple stages are not supported yet"),
    ],
)
async def test_a_wrong_purchase_is_told_in_upstreams_words(change: Body, error: str) -> None:
    world = World()
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=world.provider.start(**change))
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert not world.access.all_jobs


@pytest.mark.parametrize("part", ["algorithm", "compute", "input", "output"])
async def test_a_stage_must_be_whole(part: str) -> None:
    world, asked = World(), workflow()
    del asked["stages"][0][part]
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=world.provider.start(workflow=asked))
    assert (answer.status_code, answer.json()) == (400, {"error": f"Missing {part} in stage 0"})


@pytest.mark.parametrize(
    "name", ["workflow", "agreementId", "owner", "providerSignature", "environment", "nonce"]
)
async def test_what_a_purchase_must_say(name: str) -> None:
    world = World()
    body = world.provider.start()
    del body[name]
    async with world.client() as client:
        answer = await client.post(COMPUTE, json=body)
    error = f'"{name}" is required in the call to POST:/compute'
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_at_all_is_an_empty_payload(method: str) -> None:
    async with World().client() as client:
        for body in (b"", b"{}", b"[]", b"null"):
            answer = await client.request(method, COMPUTE, content=body)
            assert (answer.status_code, answer.json()) == (400, {"error": "payload seems empty."})


async def test_an_order_runs_one_job_at_a_time_and_may_run_again() -> None:
    world = World()
    async with world.client() as client:
        first = await started(world, client)
        repeated = await client.post(COMPUTE, json=world.provider.start())
        assert repeated.status_code == 400
        assert repeated.json() == {"error": "`agreementId` already in use for other job."}
        world.access.advance(world.only_job(), phase=Phase.FAILED)
        second = await started(world, client)
    assert first["jobId"] != second["jobId"]


async def test_the_same_request_again_is_the_same_job() -> None:
    world = World()
    body = world.provider.start(workflow=workflow(algorithm=raw_algorithm()))
    async with world.client() as client, world.client() as other_replica:
        answers = [await one.post(COMPUTE, json=body) for one in (client, client, other_replica)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()[0]["jobId"] for answer in answers}) == 1
    assert len(world.access.all_jobs) == len(world.access.secrets) == 1


async def test_jobs_are_found_by_any_of_three_names() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        other = (await started(world, client, agreementId="0xother"))["jobId"]
        by_owner = await client.get(COMPUTE, params=world.provider.query())
        by_job = await client.get(COMPUTE, params=world.provider.query(job_id=job_id))
        with_order = world.provider.query(agreementId=ALGORITHM_ORDER)
        by_order = await client.get(COMPUTE, params=with_order)
        in_body = await client.request("GET", COMPUTE, json=world.provider.query(job_id=job_id))
        nothing = await client.get(COMPUTE, params=world.provider.query(job_id="nothing"))
        other_chain = await client.get(COMPUTE, params=world.provider.query(chainId=1))
    assert {one["jobId"] for one in by_owner.json()} == {job_id, other}
    for answer in (by_job, by_order, in_body):
        assert [one["jobId"] for one in answer.json()] == [job_id]
    assert (nothing.status_code, nothing.json()) == (200, [])
    assert other_chain.json() == []


async def test_a_search_must_name_something() -> None:
    error = {"error": "You have to specify one of agreementId, jobId or owner"}
    async with World().client() as client:
        for answer in (
            await client.get(COMPUTE),
            await client.get(COMPUTE, params={"documentId": DATA_DID, "owner": "x"}),
            await client.request("GET", COMPUTE, json={}),
        ):
            assert (answer.status_code, answer.json()) == (400, error)


async def test_the_query_string_wins_over_the_body() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        query = world.provider.query(job_id=job_id)
        answer = await client.request("GET", COMPUTE, params=query, json={"owner": "another"})
    assert [one["jobId"] for one in answer.json()] == [job_id]


async def test_stop_and_delete_right_after_it() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        stopped = await client.put(COMPUTE, params=world.provider.query(job_id=job_id))
        deleted = await client.delete(COMPUTE, params=world.provider.query(job_id=job_id))
        after = await client.get(COMPUTE, params=world.provider.query(job_id=job_id))
    assert (stopped.status_code, deleted.status_code) == (200, 200)
    assert [(one["jobId"], one["stopreq"]) for one in stopped.json()] == [(job_id, 1)]
    assert deleted.content == b'""'
    assert [(one["stopreq"], one["removed"]) for one in after.json()] == [(1, 1)]
    assert world.only_job().spec.stop


async def test_stopping_by_owner_alone_stops_all_of_them() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        over = world.access.advance(world.only_job(), phase=Phase.SUCCEEDED)
        for order in ("0xother", "0xthird"):
            await started(world, client, agreementId=order)
        answer = await client.put(COMPUTE, json=world.provider.query())
        stops = {one["jobId"]: one["stopreq"] for one in answer.json()}
        again = world.provider.query(job_id=over.metadata.name)
        named = await client.put(COMPUTE, json=again)
    assert stops.pop(over.metadata.name) == 0
    assert list(stops.values()) == [1, 1]
    assert named.json()[0]["stopreq"] == 1


async def test_running_jobs_are_told_to_anybody_in_few_words() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        await started(world, client, agreementId="0xother")
        done = next(j for k, j in world.access.all_jobs.items() if k.name != job_id)
        world.access.advance(done, phase=Phase.SUCCEEDED)
        answer = await client.get(f"{PREFIX}/runningjobs")
    assert answer.json() == [
        {
            "agreementId": ALGORITHM_ORDER,
            "jobId": job_id,
            "owner": BOB,
            "status": 1,
            "statusText": "Warming up",
            "dateCreated": "1767268800",
            "namespace": "ocean-compute",
            "chainId": CHAIN_ID,
            "algoDID": ALGORITHM_DID,
            "inputDID": [DATA_DID],
        }
    ]


async def test_environments_as_a_provider_reads_them() -> None:
    world = World()
    world.allow(
        "paid",
        description="eight A100",
        pricing={"priceMin": "1.5"},
        limits={"maxDuration": "2h", "resultRetention": "72h", "maxJobs": 7},
    )
    async with world.client() as client:
        answer = await client.get(f"{PREFIX}/environments", params={"chainId": CHAIN_ID})
        other_chain = await client.get(f"{PREFIX}/environments", params={"chainId": 1})
        nothing = await client.get(f"{PREFIX}/environments")
    free, paid = answer.json()
    assert (free["id"], free["priceMin"], free["storageExpiry"]) == ("ocean-compute", 0, 0)
    expected = {
        "id": "paid",
        "cpuNumber": 8,
        "cpuType": "",
        "gpuNumber": 8,
        "gpuType": "NVIDIA-A100-SXM4-80GB",
        "ramGB": 64,
        "diskGB": 20,
        "priceMin": 1.5,
        "desc": "eight A100",
        "currentJobs": 0,
        "maxJobs": 7,
        "consumerAddress": world.access.all_environments["paid"].status.consumer_address,
        "storageExpiry": 72 * 3600,
        "maxJobDuration": 2 * 3600,
        "lastSeen": "1767268800",
        "allowedChainId": [CHAIN_ID],
    }
    assert {name: paid[name] for name in expected} == expected
    assert (other_chain.status_code, other_chain.json()) == (200, [])
    assert nothing.status_code == 400
    assert set(nothing.json()) == {"error"}


async def test_the_root_and_the_old_set_up() -> None:
    async with World().client() as client:
        root = await client.get("/")
        without = await client.post(f"{PREFIX}/pgsqlinit")
        done = await client.post(f"{PREFIX}/pgsqlinit", headers={"Admin": "0x1"})
    assert root.json()["software"] == "Operator service"
    assert {"version", "address", "algoTimeLimit", "storageExpiry"} <= set(root.json())
    assert (without.status_code, done.status_code) == (400, 200)


async def test_jobs_are_made_where_the_gateway_is_told() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
    assert world.only_job().metadata.namespace == NAMESPACE
