"""Downloads, logs and receipts: any part of a file, and no byte of what isn't a result."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from posthuman.api.job import ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.gateway.streamed import Begun, Streamed
from tests.gateway.people.world import BOB, FILES, RECEIPT, PeopleWorld
from tests.gateway.world import NAMESPACE

BOBS = f"/api/v1/jobs/{NAMESPACE}.bobs"
SAMPLE = FILES["samples/first.txt"]
SHA256 = hashlib.sha256(SAMPLE).hexdigest()


async def running(world: PeopleWorld) -> ComputeJob:
    return await world.add_job(Key(NAMESPACE, "bobs"), BOB.address)


@pytest.fixture
async def world() -> PeopleWorld:
    world = PeopleWorld()
    await world.succeed(await running(world))
    return world


async def test_files_are_listed_in_pages_with_their_digests(world: PeopleWorld) -> None:
    found, more = [], ""
    async with world.asking() as ask:
        for _ in range(3):
            page = (await ask(BOB, "GET", f"{BOBS}/results?limit=1&continue={more}")).json()
            found += page["items"]
            more = page["continue"]
    assert more == ""
    assert [one["path"] for one in found] == [
        "logs/algorithm.log",
        "metrics.json",
        "samples/first.txt",
    ]
    assert (found[2]["size"], found[2]["sha256"]) == (len(SAMPLE), SHA256)


async def test_a_whole_file(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/results/samples/first.txt")
    assert answer.content == SAMPLE
    assert answer.headers["content-length"] == str(len(SAMPLE))
    assert answer.headers["etag"] == f'"{SHA256}"'
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''first.txt"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, len(SAMPLE)),
        ("bytes=100-200", 100, 201),
        ("bytes=-7", len(SAMPLE) - 7, len(SAMPLE)),
        ("bytes=5-99999999", 5, len(SAMPLE)),
        ("bytes=-99999999", 0, len(SAMPLE)),
    ],
)
async def test_a_part_of_it(world: PeopleWorld, asked: str, start: int, end: int) -> None:
    async with world.asking() as ask:
        answer = await ask(
            BOB, "GET", f"{BOBS}/results/samples/first.txt", headers={"Range": asked}
        )
    assert answer.status_code == 206
    assert answer.content == SAMPLE[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(SAMPLE)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-", "x"])
async def test_ranges_that_mean_nothing_give_it_whole(world: PeopleWorld, asked: str) -> None:
    async with world.asking() as ask:
        answer = await ask(
            BOB, "GET", f"{BOBS}/results/samples/first.txt", headers={"Range": asked}
        )
    assert (answer.status_code, answer.content) == (200, SAMPLE)


@pytest.mark.parametrize("asked", [f"bytes={len(SAMPLE)}-", "bytes=-0", "bytes=99999999-"])
async def test_no_byte_there(world: PeopleWorld, asked: str) -> None:
    async with world.asking() as ask:
        answer = await ask(
            BOB, "GET", f"{BOBS}/results/samples/first.txt", headers={"Range": asked}
        )
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(SAMPLE)}"


@pytest.mark.parametrize(("etag", "status"), [(f'"{SHA256}"', 206), ('"another"', 200)])
async def test_a_part_of_another_version_is_no_part(
    world: PeopleWorld, etag: str, status: int
) -> None:
    headers = {"Range": "bytes=5-", "If-Range": etag}
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/results/samples/first.txt", headers=headers)
    assert answer.status_code == status


async def test_a_store_that_is_away_is_told_before_a_byte_is_sent(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        assert (await ask(BOB, "GET", f"{BOBS}/results")).status_code == 200
        world.files_of.stores["a100"].down = True
        answer = await ask(BOB, "GET", f"{BOBS}/results/samples/first.txt")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_a_manifest_of_other_bytes_is_not_believed(world: PeopleWorld) -> None:
    [job] = world.access.all_jobs.values()
    assert job.status.results
    store = world.files_of.stores["a100"]
    store.objects[f"{job.status.results.prefix}/manifest.json"] = b'{"files": []}'
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/results/metrics.json")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "ManifestChanged"


async def test_the_receipt_and_the_manifest(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        assert (await ask(BOB, "GET", f"{BOBS}/receipt")).content == RECEIPT
        manifest = await ask(BOB, "GET", f"{BOBS}/manifest")
        job = (await ask(BOB, "GET", BOBS)).json()
    assert (
        "sha256:" + hashlib.sha256(manifest.content).hexdigest()
        == (job["results"]["manifestDigest"])
    )


async def test_the_log_of_a_finished_job_is_the_stored_one(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/logs?follow=true")
    assert answer.content == FILES["logs/algorithm.log"]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_the_log_of_a_running_job_is_its_pods() -> None:
    world = PeopleWorld()
    job = world.access.advance(await running(world), phase=Phase.RUNNING)
    world.access.logs[job.metadata.uid] = [b"step 1\n", b"step 2\n"]
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/logs?follow=true")
    assert answer.content == b"step 1\nstep 2\n"


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("results", "NoResultsYet"),
        ("results/x", "NoResultsYet"),
        ("receipt", "NoResultsYet"),
        ("manifest", "NoResultsYet"),
        ("logs", "NoLogYet"),
    ],
)
async def test_what_is_not_there_yet(route: str, reason: str) -> None:
    world = PeopleWorld()
    await running(world)
    async with world.asking() as ask:
        answer = await ask(BOB, "GET", f"{BOBS}/{route}")
    assert (answer.status_code, answer.json()["reason"]) == (404, reason)


async def test_a_job_that_has_not_changed_costs_no_bytes(world: PeopleWorld) -> None:
    async with world.asking() as ask:
        tag = (await ask(BOB, "GET", BOBS)).headers["etag"]
        same = await ask(BOB, "GET", BOBS, headers={"If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
        [job] = world.access.all_jobs.values()
        world.access.advance(job, gpu_seconds=5.0)
        other = await ask(BOB, "GET", BOBS, headers={"If-None-Match": tag})
        assert other.json()["gpuSeconds"] == 5.0


async def test_a_source_is_closed_whenever_the_answer_ends() -> None:
    ended = []

    async def silent() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b"never"
        finally:
            ended.append(True)

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def nowhere(message: Any) -> None:
        return

    live = silent()
    first = asyncio.ensure_future(anext(live, b""))
    await asyncio.sleep(0)
    await Streamed(Begun(first, live), {}).send_body(nowhere, gone)
    assert ended == [True]
