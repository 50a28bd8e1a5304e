"""`jobkit fetch` from the environment's store: assets and uploads, on a folder and on S3."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from obstore.store import ObjectStore

from jobkit import transfer
from jobkit.errors import Fault
from jobkit.fetch import fetch
from jobkit.objects import open_store, put_bytes
from jobkit.plan import StageInput, StagePlan, Store
from jobkit.staged import read_staged
from tests.jobkit.plans import OWNER, folder_store, stage_plan, write
from tests.jobkit.stores import fill
from tests.jobkit.tiny_model import TINY, TINY_PARAMETERS
from tests.services.s3 import S3Server

BIG = os.urandom(300_000)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", 64 * 1024)


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "file":
        return folder_store(tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.credentials.items():
        monkeypatch.setenv(name, value)
    return Store(url=f"s3://{server.bucket}/{tmp_path.name}", endpoint=server.endpoint)


@pytest.fixture
def objects(store: Store) -> ObjectStore:
    return open_store(store, os.environ)


def asset(prefix: str, digest: str, kind: str = "model") -> StageInput:
    return StageInput(name="model", kind=kind, asset=prefix, manifest_digest=digest)  # type: ignore[arg-type]  # a str of the three


def upload(key: str, sha256: str = "") -> StageInput:
    return StageInput(name="text", kind="dataset", upload=key, sha256=sha256)


async def refused(plan: StagePlan) -> Fault:
    with pytest.raises(Fault) as caught:
        await fetch(plan)
    return caught.value


async def test_of_a_trained_model_only_its_weights_come(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    files = {f"model/{name}": content for name, content in TINY.items()}
    digest = await fill(objects, "jobs/u1", {**files, "report.json": b"{}", "logs/a.log": b"x"})
    await fetch(stage_plan(tmp_path, [asset("jobs/u1", digest)], store))
    folder = tmp_path / "inputs/model"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == TINY
    (staged,) = read_staged(tmp_path / "staged.json").inputs
    assert staged.manifest_digest == digest
    assert staged.model is not None
    assert (staged.model.model_type, staged.model.parameter_count) == ("gpt2", TINY_PARAMETERS)
    assert staged.model.dtype == "bfloat16"


async def test_a_dataset_comes_whole(tmp_path: Path, store: Store, objects: ObjectStore) -> None:
    digest = await fill(objects, "jobs/u1", {"a/b/c.txt": BIG, "d.txt": b""})
    await fetch(stage_plan(tmp_path, [asset("jobs/u1", digest, "dataset")], store))
    assert (tmp_path / "inputs/model/a/b/c.txt").read_bytes() == BIG
    assert (tmp_path / "inputs/model/d.txt").read_bytes() == b""


async def test_a_manifest_with_another_digest_is_refused(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", TINY)
    fault = await refused(stage_plan(tmp_path, [asset("jobs/u1", "sha256:" + "0" * 64)], store))
    assert (fault.reason, fault.user_error) == ("ChecksumMismatch", True)
    assert digest in str(fault)


async def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", {"a.txt": BIG})
    await put_bytes(objects, "jobs/u1/a.txt", os.urandom(len(BIG)))
    fault = await refused(stage_plan(tmp_path, [asset("jobs/u1", digest, "dataset")], store))
    assert fault.reason == "ChecksumMismatch"
    assert not (tmp_path / "inputs/model/a.txt").exists()


async def test_a_file_that_is_shorter_than_the_manifest_says_is_refused(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", {"a.txt": BIG})
    await put_bytes(objects, "jobs/u1/a.txt", BIG[:100_000])
    await refused(stage_plan(tmp_path, [asset("jobs/u1", digest, "dataset")], store))
    assert not (tmp_path / "inputs/model/a.txt").exists()


async def test_one_object_of_an_upload(tmp_path: Path, store: Store, objects: ObjectStore) -> None:
    key = f"uploads/{OWNER}/text/corpus.jsonl"
    await put_bytes(objects, key, BIG)
    await fetch(stage_plan(tmp_path, [upload(key)], store))
    assert (tmp_path / "inputs/text/corpus.jsonl").read_bytes() == BIG


async def test_each_input_has_its_own_folder(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    names = ["first", "second", "third"]
    for name in names:
        await put_bytes(objects, f"uploads/{OWNER}/{name}.txt", name.encode())
    inputs = [
        StageInput(name=name, kind="dataset", upload=f"uploads/{OWNER}/{name}.txt")
        for name in names
    ]
    await fetch(stage_plan(tmp_path, inputs, store))
    for name in names:
        assert (tmp_path / f"inputs/{name}/{name}.txt").read_text() == name


async def test_a_folder_of_an_upload(tmp_path: Path, store: Store, objects: ObjectStore) -> None:
    key = f"uploads/{OWNER}/text"
    digest = await fill(objects, key, {"a.txt": b"one", "b.txt": b"two"})
    await fetch(stage_plan(tmp_path, [upload(key, digest.removeprefix("sha256:"))], store))
    assert (tmp_path / "inputs/text/b.txt").read_bytes() == b"two"
    assert read_staged(tmp_path / "staged.json").inputs[0].manifest_digest == digest


async def test_a_missing_upload_is_the_users_mistake(tmp_path: Path, store: Store) -> None:
    fault = await refused(stage_plan(tmp_path, [upload(f"uploads/{OWNER}/absent")], store))
    assert (fault.reason, fault.user_error) == ("InputNotFound", True)
    assert "uploads/" in str(fault)
    assert "absent" in str(fault)


@pytest.mark.parametrize("key", ["jobs/u1/model", "uploads/../jobs/u1", "uploads//x"])
async def test_an_upload_names_nothing_else_of_the_store(
    tmp_path: Path, store: Store, objects: ObjectStore, key: str
) -> None:
    await fill(objects, "jobs/u1", TINY)
    fault = await refused(stage_plan(tmp_path, [upload(key)], store))
    assert fault.user_error
    assert not (tmp_path / "inputs/text").exists()


@pytest.mark.parametrize("path", ["../escape", "a/../../escape", "/etc/x", "a//b", "a\nb"])
async def test_a_manifest_cannot_name_files_elsewhere(
    tmp_path: Path, store: Store, objects: ObjectStore, path: str
) -> None:
    raw = b'{"files":[{"path":%s,"sha256":"","size":1,"class":"result"}]}'
    import json

    await put_bytes(objects, f"uploads/{OWNER}/x/manifest.json", raw % json.dumps(path).encode())
    fault = await refused(stage_plan(tmp_path, [upload(f"uploads/{OWNER}/x")], store))
    assert fault.reason == "UnsafeName"


async def test_pickles_are_refused_before_anything_is_brought(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", {**TINY, "pytorch_model.bin": b"x"})
    fault = await refused(stage_plan(tmp_path, [asset("jobs/u1", digest)], store))
    assert (fault.reason, fault.user_error) == ("PickleRefused", True)
    assert "pytorch_model.bin" in str(fault)
    assert not (tmp_path / "inputs/model").exists()


async def test_an_environment_may_allow_pickles(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    both = {**TINY, "pytorch_model.bin": b"x"}
    alone = {"config.json": TINY["config.json"], "pytorch_model.bin": b"x"}
    digests = [await fill(objects, f"jobs/u{n}", files) for n, files in enumerate([both, alone])]
    inputs = [
        msgspec.structs.replace(asset(f"jobs/u{n}", digest), name=f"model-{n}")
        for n, digest in enumerate(digests)
    ]
    plan = stage_plan(tmp_path, inputs, store)
    await fetch(msgspec.structs.replace(plan, allow_pickles=True))
    first, second = read_staged(Path(plan.staged_file)).inputs
    assert first.model is not None and first.model.model_type == "gpt2"
    assert second.model is None, "nothing is known of a pickle that isn't loaded"
    assert (tmp_path / "inputs/model-1/pytorch_model.bin").exists()


async def test_what_an_earlier_try_brought_is_not_brought_again(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", {"a.txt": BIG, "b.txt": b"two"})
    plan = stage_plan(tmp_path, [asset("jobs/u1", digest, "dataset")], store)
    await fetch(plan)
    before = (tmp_path / "inputs/model/a.txt").stat().st_ino
    write(tmp_path / "inputs/model/b.txt", b"cut")
    await fetch(plan)
    assert (tmp_path / "inputs/model/a.txt").stat().st_ino == before
    assert (tmp_path / "inputs/model/b.txt").read_bytes() == b"two"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "algoCustomData.json"])
async def test_an_inputs_name_is_a_plain_name(tmp_path: Path, store: Store, name: str) -> None:
    plan = stage_plan(tmp_path, [StageInput(name=name, kind="file", upload="uploads/x")], store)
    assert (await refused(plan)).reason == "UnsafeName"


async def test_a_store_that_is_down_may_heal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setattr("jobkit.objects.MAX_RETRIES", 1)
    down = Store(url="s3://bucket/x", endpoint="http://127.0.0.1:9")
    fault = await refused(stage_plan(tmp_path, [asset("jobs/u1", "sha256:0")], down))
    assert (fault.reason, fault.user_error, fault.exit_code) == ("StoreUnavailable", False, 1)


async def test_each_inputs_files_go_to_its_own_folder(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    digest = await fill(objects, "jobs/u1", TINY)
    await put_bytes(objects, "uploads/x/corpus.txt", BIG)
    await put_bytes(objects, "uploads/x/more.txt", b"more")
    more = StageInput(name="more", kind="file", upload="uploads/x/more.txt")
    inputs = [asset("jobs/u1", digest), upload("uploads/x/corpus.txt"), more]
    await fetch(stage_plan(tmp_path, inputs, store))
    names = {
        folder: {p.name for p in (tmp_path / "inputs" / folder).iterdir()}
        for folder in ("model", "text", "more")
    }
    assert names == {"model": set(TINY), "text": {"corpus.txt"}, "more": {"more.txt"}}
    assert [entry.name for entry in read_staged(tmp_path / "staged.json").inputs] == [
        "model",
        "text",
        "more",
    ]
