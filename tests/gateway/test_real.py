"""What only a real API server decides: who is first, what outlives a replica, what is swept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest

from jobkit.manifest import MANIFEST_NAME, Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.api.job import ComputeJob, JobStatus, Phase, Results
from posthuman.api.meta import Key
from posthuman.gateway.ports import Person
from posthuman.kube.gateway import KubeAccess
from posthuman.kube.request_nonces import PREFIX, RequestNonces
from posthuman.kube.resources import LEASES, OWN, SECRETS
from tests.builders import BOB
from tests.gateway.provider import Body, raw_algorithm, workflow
from tests.gateway.real import RealGateway, gone, process, until
from tests.gateway.test_shapes import COMPUTE
from tests.gateway.test_shapes import PREFIX as ROUTES
from tests.kube.crds import apply_crds
from tests.kube.worlds import real_world

pytestmark = pytest.mark.cluster
RAW: Body = {"workflow": workflow(algorithm=raw_algorithm())}
LARGE = b"0123456789abcdef" * 1024 * 1024 * 2  # 32 MiB


@pytest.fixture
async def gateway(cluster_facts: Mapping[str, str], tmp_path: Path) -> AsyncIterator[RealGateway]:
    kubeconfig = apply_crds(cluster_facts)
    async with real_world(kubeconfig) as world:
        made = RealGateway(world, kubeconfig, tmp_path / "store")
        made.store.mkdir()
        await made.begin()
        yield made


async def test_two_replicas_at_once_make_one_job(gateway: RealGateway) -> None:
    """And the one that was second shows the first one's job as soon as its watch does."""
    async with gateway.replica() as one, gateway.replica() as other:
        bodies = [gateway.start(**RAW) for _ in range(4)]
        answers = await asyncio.gather(
            *(
                c.post(COMPUTE, json=b)
                for c, b in zip((one, other, one, other), bodies, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
        [job] = await gateway.jobs()
        for client in (one, other):

            async def shown(client: httpx.AsyncClient = client) -> bool:
                found = await client.get(COMPUTE, params=gateway.provider.query())
                return [status["jobId"] for status in found.json()] == [job.metadata.name]

            await until(shown)


async def test_a_secret_belongs_to_its_job_which_alone_may_use_it(
    gateway: RealGateway,
) -> None:
    async with gateway.replica() as client:
        assert (await client.post(COMPUTE, json=gateway.start(**RAW))).status_code == 200
    [job] = await gateway.jobs()
    raw = job.spec.algorithm.raw
    assert raw is not None
    assert raw.secret_ref is not None
    secret = await gateway.world.client.get(SECRETS, gateway.world.tenant, raw.secret_ref.name)
    meta = secret["metadata"]
    assert [owner["uid"] for owner in meta["ownerReferences"]] == [job.metadata.uid]
    assert meta["labels"]["compute.posthuman.network/for-jobs"] == job.metadata.name
    assert "print" not in str(job.spec)


async def test_a_nonce_holds_over_restarts_and_what_only_it_owns_goes_with_it(
    gateway: RealGateway,
) -> None:
    body = gateway.start(**RAW)
    async with gateway.replica() as client:
        first = await client.post(COMPUTE, json=body)
        second = await client.post(COMPUTE, json=gateway.start(**RAW))  # makes no job
    async with gateway.replica() as client:
        again = await client.post(COMPUTE, json=body)
        replay = await client.post(COMPUTE, json=body | {"agreementId": "0xanother"})
    assert (first.status_code, second.status_code) == (200, 400)
    assert again.json()[0]["jobId"] == first.json()[0]["jobId"]
    assert (replay.status_code, len(await gateway.jobs())) == (400, 1)


async def test_a_request_that_broke_off_leaves_no_secret(gateway: RealGateway) -> None:
    """Its Secret is collected with its nonce."""
    nonces = RequestNonces(gateway.world.client, (gateway.world.tenant,))
    key = Key(gateway.world.tenant, "ocean-orphan")
    await nonces.use("a" * 40, "b" * 64, 0)
    await nonces.create_secret(key, {"algorithm": b"code"}, {}, "a" * 40)
    assert await nonces.expired(1.0) == ["a" * 40]
    await nonces.forget("a" * 40)
    await until(lambda: gone(gateway, key.name))
    leases = await gateway.world.client.list(LEASES, gateway.world.tenant)
    assert PREFIX + "a" * 40 not in [item["metadata"]["name"] for item in leases["items"]]


async def test_stopping_and_deleting_reach_the_object(gateway: RealGateway) -> None:
    async with gateway.replica() as client:
        job_id = (await client.post(COMPUTE, json=gateway.start())).json()[0]["jobId"]
        for method in ("PUT", "DELETE"):
            query = gateway.provider.query(job_id=job_id)
            assert (await client.request(method, COMPUTE, params=query)).status_code == 200
        [job] = await gateway.jobs()
        assert job.spec.stop
        await gateway.world.client.delete(OWN["ComputeJob"], *job.metadata.key)

        async def forgotten() -> bool:
            query = gateway.provider.query(job_id=job_id)
            return bool((await client.get(COMPUTE, params=query)).json() == [])

        await until(forgotten)


async def test_people_are_who_the_api_server_says(gateway: RealGateway) -> None:
    access = KubeAccess(gateway.world.client, [gateway.world.tenant])
    person = await access.review_token(await gateway.token())
    assert person is not None
    assert person.username == f"system:serviceaccount:{gateway.world.tenant}:default"
    assert await access.review_token("no token") is None
    admin = Person(username="admin", groups=("system:masters",))
    for one, allowed in ((person, False), (admin, True)):
        found = await access.may(one, "create", "ComputeJob", gateway.world.tenant)
        assert found is allowed


async def test_what_the_api_server_refuses_is_told_with_its_words(gateway: RealGateway) -> None:
    async with gateway.replica() as client:
        answer = await client.post(COMPUTE, json=gateway.start(owner="nobody"))
    assert answer.status_code == 400
    assert "an address is 0x and 40 hexadecimal digits" in answer.json()["error"]


async def test_a_download_goes_on_at_another_replica_when_one_is_killed(
    gateway: RealGateway, tmp_path: Path
) -> None:
    async with process(gateway, tmp_path / "log") as one:
        job = await _finished(gateway, one.url)
        query = gateway.provider.result(job.metadata.name, 0)
        got = await _begin(f"{one.url}{ROUTES}/getResult", query, one.kill)
    assert 0 < len(got) < len(LARGE)
    async with process(gateway, tmp_path / "log") as other:
        query = gateway.provider.result(job.metadata.name, 0)
        async with httpx.AsyncClient() as client:
            rest = await client.get(
                f"{other.url}{ROUTES}/getResult",
                params=query,
                headers={"Range": f"bytes={len(got)}-"},
            )
        ended = await other.stop()
    assert (rest.status_code, ended) == (206, 0)
    assert hashlib.sha256(got + rest.content).digest() == hashlib.sha256(LARGE).digest()


async def _finished(gateway: RealGateway, url: str) -> ComputeJob:
    """A job that was bought at a process, and ended with one large result."""
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.post(COMPUTE, json=gateway.start())).status_code == 200
        [job] = await gateway.jobs()
        raw = encode_manifest(Manifest(files=(_entry("out.bin", LARGE),)))
        folder = gateway.store / "jobs/one"
        folder.mkdir(parents=True)
        (folder / "out.bin").write_bytes(LARGE)
        (folder / MANIFEST_NAME).write_bytes(raw)
        results = Results(uri="file://x", prefix="jobs/one", manifest_digest=digest_of(raw))
        moment = "2026-01-01T12:00:00Z"
        ended = JobStatus(phase=Phase.SUCCEEDED, finished_at=moment, results=results)
        await gateway.write_status(job, ended)

        async def told() -> bool:
            found = await client.get(COMPUTE, params=gateway.provider.query(BOB))
            return bool(found.json()[0]["status"] == 70)

        await until(told)
    return job


async def _begin(url: str, query: Body, kill: Callable[[], Awaitable[None]]) -> bytes:
    """What came until the process was killed, right after the first piece."""
    got = b""
    async with httpx.AsyncClient() as client:
        try:
            async with client.stream("GET", url, params=query) as answer:
                assert answer.status_code == 200
                async for piece in answer.aiter_bytes():
                    if not got:
                        await kill()
                    got += piece
        except httpx.TransportError:
            return got
    return got


def _entry(path: str, content: bytes) -> ManifestFile:
    digest = hashlib.sha256(content).hexdigest()
    return ManifestFile(path=path, sha256=digest, size=len(content), file_class="result")
