"""The ResultStore port's contract, on the fake, on a folder and on a real S3 server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jobkit.manifest import Manifest, ManifestFile, digest_of, encode_manifest
from posthuman.api.environment import StoreSpec
from posthuman.errors import NotFound, TransientError, UserError
from posthuman.ports import ResultStore
from posthuman.store.results import open_results
from tests.fakes.result_store import FakeResultStore
from tests.services.s3 import S3Server


@pytest.fixture(params=["fake", "file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    if request.param == "fake":
        return FakeResultStore()
    if request.param == "file":
        return open_results(StoreSpec(url=f"file://{tmp_path}/results"), {})
    server: S3Server = request.getfixturevalue("s3_server")
    spec = StoreSpec(url=f"s3://{server.bucket}/{tmp_path.name}", endpoint=server.endpoint)
    return open_results(spec, server.credentials)


async def test_gives_back_what_was_put(store: ResultStore) -> None:
    await store.put("jobs/u1/a file.txt", b"one")
    assert await store.get("jobs/u1/a file.txt") == b"one"
    assert await store.size("jobs/u1/a file.txt") == 3


async def test_put_replaces(store: ResultStore) -> None:
    await store.put("key", b"first")
    await store.put("key", b"second")
    assert await store.get("key") == b"second"


async def test_an_empty_object_is_an_object(store: ResultStore) -> None:
    await store.put("empty", b"")
    assert await store.size("empty") == 0


async def test_absence_is_not_found_and_names_the_key(store: ResultStore) -> None:
    await store.put("jobs/u1/there", b"x")
    with pytest.raises(NotFound, match="jobs/u1/absent"):
        await store.get("jobs/u1/absent")
    with pytest.raises(NotFound, match="jobs/u2"):
        await store.size("jobs/u2")
    with pytest.raises(NotFound, match=r"manifest\.json"):
        await store.manifest("jobs/u1")


async def test_reads_a_manifest_with_the_digest_of_its_bytes(store: ResultStore) -> None:
    file = ManifestFile(path="model/w", sha256="0" * 64, size=7, file_class="custody")
    raw = encode_manifest(Manifest(files=(file,), metrics={"loss": 1.5}))
    await store.put("jobs/u1/manifest.json", raw)
    manifest, digest = await store.manifest("jobs/u1")
    assert manifest.files == (file,)
    assert manifest.metrics == {"loss": 1.5}
    assert digest == digest_of(raw)


async def test_other_bytes_are_no_manifest(store: ResultStore) -> None:
    await store.put("jobs/u1/manifest.json", b'{"files": 3}')
    with pytest.raises(UserError, match="is no manifest"):
        await store.manifest("jobs/u1")


async def test_check_passes_where_the_store_answers(store: ResultStore) -> None:
    await store.check()


async def test_a_fake_that_is_offline_says_so() -> None:
    fake = FakeResultStore()
    fake.unavailable = True
    with pytest.raises(TransientError):
        await fake.check()


async def test_a_folder_that_cannot_be_made_is_unavailable() -> None:
    with pytest.raises(TransientError, match="/proc/none"):
        open_results(StoreSpec(url="file:///proc/none"), {})


async def test_another_scheme_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="s3://bucket/prefix"):
        open_results(StoreSpec(url="gs://bucket"), {})


@pytest.mark.s3
class TestWrongS3:
    """What an admin may have typed wrongly; each is looked at again, nothing is the job's fault."""

    async def test_wrong_keys(self, s3_server: S3Server) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "wrong"}
        spec = StoreSpec(url=f"s3://{s3_server.bucket}/x", endpoint=s3_server.endpoint)
        with pytest.raises(TransientError, match="credentials") as caught:
            await open_results(spec, keys).check()
        assert caught.value.reason == "StoreForbidden"

    async def test_no_such_bucket(self, s3_server: S3Server) -> None:
        spec = StoreSpec(url="s3://no-such-bucket/x", endpoint=s3_server.endpoint)
        with pytest.raises(TransientError, match="bucket does not exist"):
            await open_results(spec, s3_server.credentials).check()


async def test_the_sha256_of_what_lies_there(store: ResultStore) -> None:
    content = b"seventeen bytes.." * 1_000_000  # more than one piece
    await store.put("large", content)
    assert await store.sha256("large") == hashlib.sha256(content).hexdigest()
    await store.put("empty", b"")
    assert await store.sha256("empty") == hashlib.sha256(b"").hexdigest()
    with pytest.raises(NotFound, match="absent"):
        await store.sha256("absent")


async def test_all_below_a_prefix_goes_and_nothing_beside_it(store: ResultStore) -> None:
    for name in ("manifest.json", "a.txt", "logs/b.txt", "model/deep/er/c.bin"):
        await store.put(f"jobs/u1/{name}", b"x")
    await store.put("jobs/u10/manifest.json", b"another's")
    await store.delete_prefix("jobs/u1")
    await store.delete_prefix("jobs/u1")  # again is the same
    for name in ("manifest.json", "a.txt", "logs/b.txt", "model/deep/er/c.bin"):
        with pytest.raises(NotFound):
            await store.size(f"jobs/u1/{name}")
    assert await store.get("jobs/u10/manifest.json") == b"another's"
