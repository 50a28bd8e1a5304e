"""getResult: who gets which bytes of what, and when results are told at all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from posthuman.api.job import ComputeJob, Phase
from tests.builders import ALICE, BOB
from tests.gateway.test_shapes import COMPUTE, PREFIX, started
from tests.gateway.world import World, store_results

RESULT = f"{PREFIX}/getResult"
FILES = {
    "model/model.safetensors": b"weights that stay here",
    "loss.csv": b"step,loss\n1,3.5\n",
    "plots/loss.png": bytes(range(256)) * 64,
    "logs/algorithm.log": b"training\n",
}


async def finished(world: World, client: httpx.AsyncClient) -> ComputeJob:
    await started(world, client)
    return world.finish(world.only_job(), FILES)


async def get(
    world: World, client: httpx.AsyncClient, job: ComputeJob, index: Any, **headers: str
) -> httpx.Response:
    query = world.provider.result(job.metadata.name, index)
    return await client.get(RESULT, params=query, headers=headers)


async def test_results_are_listed_in_upstreams_words_and_each_can_be_downloaded() -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        query = world.provider.query(job_id=job.metadata.name)
        [status] = (await client.get(COMPUTE, params=query)).json()
        bodies = [(await get(world, client, job, index)).content for index in range(3)]
    assert (status["status"], status["statusText"]) == (70, "Job finished")
    assert status["dateFinished"] == "1767268800"
    assert status["results"] == [
        {"filename": "loss.csv", "filesize": 16, "type": "output", "index": 0},
        {"filename": "plots/loss.png", "filesize": 16384, "type": "output", "index": 1},
        {"filename": "algorithm.log", "filesize": 9, "type": "algorithmLog", "index": 2},
    ]
    names = ("loss.csv", "plots/loss.png", "logs/algorithm.log")
    assert bodies == [FILES[name] for name in names]


async def test_a_result_comes_with_its_name_and_length() -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        answer = await get(world, client, job, 1)
        log = await get(world, client, job, 2)
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment;filename=loss.png"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == "16384"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "status", "content", "range_"),
    [
        ("bytes=0-3", 206, b"step", "bytes 0-3/16"),
        ("bytes=10-", 206, b"1,3.5\n", "bytes 10-15/16"),
        ("bytes=-2", 206, b"5\n", "bytes 14-15/16"),
        ("bytes=15-900", 206, b"\n", "bytes 15-15/16"),
        ("lines=1-2", 200, FILES["loss.csv"], None),
    ],
)
async def test_parts_of_a_result(
    asked: str, status: int, content: bytes, range_: str | None
) -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        answer = await get(world, client, job, 0, Range=asked)
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == range_


async def test_a_part_behind_the_end_is_refused() -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        answer = await get(world, client, job, 0, Range="bytes=16-")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */16"
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("index", "status", "error"),
    [
        (-1, 404, "Negative index -1"),
        (3, 404, "No such index 3 in this compute job"),
        ("x", 400, "Error getResult: invalid literal for int() with base 10: 'x'"),
    ],
)
async def test_indices_that_are_none(index: Any, status: int, error: str) -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        answer = await get(world, client, job, index)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("name", ["owner", "providerSignature", "nonce", "index", "jobId"])
async def test_what_a_download_must_say(name: str) -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        query = world.provider.result(job.metadata.name, 0)
        del query[name]
        answer = await client.get(RESULT, params=query)
    error = f'"{name}" is required in the call to GET:/getResult'
    assert (answer.status_code, answer.json()) == (400, {"error": error})


async def test_a_wrong_owner_and_a_job_without_results_are_404() -> None:
    world = World()
    async with world.client() as client:
        job_id = (await started(world, client))["jobId"]
        early = await client.get(RESULT, params=world.provider.result(job_id, 0))
        world.finish(world.only_job(), FILES)
        wrong = await client.get(RESULT, params=world.provider.result(job_id, 0, owner=ALICE))
        right = await client.get(RESULT, params=world.provider.result(job_id, 0, owner=BOB.lower()))
    assert (early.status_code, early.json()["error"]) == (404, f"No results for job {job_id}")
    assert wrong.json() == {"error": f"Owner {ALICE} mismatch for job {job_id}"}
    assert wrong.status_code == 404
    assert right.content == FILES["loss.csv"]


async def test_a_job_is_not_70_before_its_results_can_be_downloaded() -> None:
    world = World()
    async with world.client() as client:
        await started(world, client)
        for phase in (Phase.RUNNING, Phase.EXPORTING, Phase.PUBLISHING):
            results = None
            if phase is Phase.PUBLISHING:
                results = store_results(world.files_of, world.only_job(), FILES)
            world.access.advance(world.only_job(), phase=phase, results=results)
            [status] = (await client.get(COMPUTE, params=world.provider.query())).json()
            assert status["status"] < 70
            assert status["dateFinished"] is None
        assert len(status["results"]) == 3  # they are there while the model is published


async def test_results_whose_retention_is_over_are_told_as_none() -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        world.files_of.stores["ocean-compute"].objects.clear()
        [status] = (await client.get(COMPUTE, params=world.provider.query())).json()
        answer = await get(world, client, job, 0)
    assert (status["status"], status["results"]) == (70, "")
    assert answer.status_code == 404


async def test_results_known_once_and_then_deleted_are_404_and_not_half_an_answer() -> None:
    world = World()
    async with world.client() as client:
        job = await finished(world, client)
        assert (await get(world, client, job, 0)).status_code == 200
        world.files_of.stores["ocean-compute"].objects.clear()
        answer = await get(world, client, job, 0)
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


async def test_a_store_that_cannot_be_reached_is_503_so_that_the_provider_asks_again() -> None:
    world = World()
    async with world.client() as client:
        await finished(world, client)
        world.files_of.stores["ocean-compute"].down = True
        query = world.provider.query()
        answer = await client.get(COMPUTE, params=query)
        assert (answer.status_code, set(answer.json())) == (503, {"error"})
        assert "retry-after" in answer.headers
        world.files_of.stores["ocean-compute"].down = False
        again = await client.get(COMPUTE, params=query)
    assert again.status_code == 200


async def test_names_of_any_kind_stay_one_header() -> None:
    world = World()
    files = {'a "b"; c.txt': b"1", "Ergebnis für Ähren\r\nX: y.csv": b"2"}
    async with world.client() as client:
        await started(world, client)
        job = world.finish(world.only_job(), files)
        answers = [await get(world, client, job, index) for index in range(2)]
    for answer in answers:
        header = answer.headers["content-disposition"]
        assert header.startswith('attachment;filename="')
        assert "filename*=UTF-8''" in header
        assert "x" not in answer.headers
