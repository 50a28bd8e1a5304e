"""`jobkit export`: everything the manifest names is in the store, and the manifest came last."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from obstore.store import ObjectStore

from jobkit import uploads
from jobkit.errors import ObjectMissing, WorldFault
from jobkit.export import canonical, export
from jobkit.manifest import Manifest, decode_manifest, digest_of
from jobkit.objects import open_store, read_small
from jobkit.outputs import Found
from jobkit.plan import Store
from jobkit.staged import Staged, StagedInput, write_staged
from tests.jobkit.plans import export_plan, folder_store, write
from tests.jobkit.running import run
from tests.jobkit.tiny_model import TINY
from tests.services.s3 import S3Server


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


async def get(objects: ObjectStore, key: str) -> bytes:
    return await read_small(objects, key)


async def manifest_of(objects: ObjectStore) -> Manifest:
    return decode_manifest(await get(objects, "jobs/u1/manifest.json"))


def a_trained_model(folder: Path, report: Any = None) -> None:
    for name, content in TINY.items():
        write(folder / "outputs/model" / name, content)
    write(folder / "outputs/report.json", json.dumps(report or {}))
    write(folder / "logs/algorithm.log", "step 1\n")
    inputs = (
        StagedInput(
            name="model", kind="model", path="x", files=2, bytes=3, manifest_digest="sha256:aa"
        ),
        StagedInput(name="text", kind="dataset", path="x", files=1, bytes=3, sha256="bb"),
    )
    write_staged(folder / "staged.json", Staged(inputs=inputs))


async def test_the_manifest_tells_all_of_it(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    report = {"metrics": {"loss": 2.5}, "versions": {"torch": "2.13.0"}, "more": 1}
    a_trained_model(tmp_path, report)
    plan = export_plan(
        tmp_path,
        store=store,
        parameters={"steps": 500},
        input_dids={"model": "did:op:1"},
        gpu_seconds=12.5,
    )
    ended = await export(plan)
    manifest = await manifest_of(objects)
    assert [(f.path, f.file_class) for f in manifest.files] == [
        ("logs/algorithm.log", "result"),
        ("model/config.json", "custody"),
        ("model/model.safetensors", "custody"),
        ("report.json", "result"),
    ]
    assert manifest.model is not None
    assert manifest.model.model_type == "gpt2"
    assert manifest.inputs == (
        {"name": "model", "kind": "model", "manifestDigest": "sha256:aa", "did": "did:op:1"},
        {"name": "text", "kind": "dataset", "sha256": "bb"},
    )
    assert (manifest.metrics, manifest.versions) == ({"loss": 2.5}, {"torch": "2.13.0"})
    assert (manifest.parameters, manifest.gpu_seconds) == ({"steps": 500}, 12.5)
    assert manifest.algorithm == {"name": "train", "version": "1"}
    raw = await get(objects, "jobs/u1/manifest.json")
    assert ended.details["manifestDigest"] == digest_of(raw)
    assert (ended.details["files"], ended.details["outcome"]) == (4, "Succeeded")


async def test_every_file_is_in_the_store_with_its_sha256(
    tmp_path: Path, store: Store, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 5 * 1024 * 1024)
    contents = {"big.bin": os.urandom(12 * 1024 * 1024 + 7), "empty": b"", "ü/a b.txt": b"x"}
    for name, content in contents.items():
        write(tmp_path / "outputs" / name, content)
    await export(export_plan(tmp_path, store=store))
    files = {file.path: file for file in (await manifest_of(objects)).files}
    assert set(files) == set(contents)
    for name, content in contents.items():
        assert await get(objects, f"jobs/u1/{name}") == content
        assert files[name].sha256 == hashlib.sha256(content).hexdigest()
        assert files[name].size == len(content)


async def test_again_after_a_crash_gives_the_same_bytes(
    tmp_path: Path, store: Store, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trained_model(tmp_path)
    plan = export_plan(tmp_path, store=store)
    monkeypatch.setattr("jobkit.export._now", lambda: "2030-01-01T00:00:00Z")
    first = await export(plan)
    monkeypatch.setattr("jobkit.export._now", lambda: "2031-01-01T00:00:00Z")
    second = await export(plan)
    assert second.details == first.details
    assert (await manifest_of(objects)).created_at == "2030-01-01T00:00:00Z"


async def test_without_every_file_there_is_no_manifest(
    tmp_path: Path, store: Store, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trained_model(tmp_path)
    opened = uploads.open_beneath

    def fails_at_the_weights(root: Path, relative: str) -> int:
        if relative.endswith(".safetensors"):
            raise WorldFault("OutputChanged", "gone")
        return opened(root, relative)

    monkeypatch.setattr(uploads, "open_beneath", fails_at_the_weights)
    with pytest.raises(WorldFault, match="gone"):
        await export(export_plan(tmp_path, store=store))
    with pytest.raises(ObjectMissing):
        await get(objects, "jobs/u1/manifest.json")


async def test_a_link_swapped_in_after_the_look_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "inputs/weights", "secret")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/x").symlink_to(tmp_path / "inputs/weights")
    (tmp_path / "outputs/d").symlink_to(tmp_path / "inputs")
    for relative in ("x", "d/weights"):
        file = Found(root=tmp_path / "outputs", relative=relative, path=relative, size=6)
        with pytest.raises(WorldFault, match="can't read"):
            await uploads.send_files(open_store(folder_store(tmp_path), {}), "jobs/u1", [file])


async def test_too_large_results_stay(tmp_path: Path, store: Store, objects: ObjectStore) -> None:
    a_trained_model(tmp_path)
    write(tmp_path / "outputs/dump.bin", bytes(200))
    ended = await export(export_plan(tmp_path, store=store, max_result_bytes=150))
    assert (ended.reason, ended.user_error) == ("ResultTooLarge", True)
    manifest = await manifest_of(objects)
    assert (manifest.outcome, manifest.model) == ("Failed", None)
    assert [file.path for file in manifest.files] == ["logs/algorithm.log"]
    with pytest.raises(ObjectMissing):
        await get(objects, "jobs/u1/dump.bin")


async def test_a_log_above_the_limit_keeps_its_end(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    write(tmp_path / "logs/algorithm.log", bytes(1000) + b"the end")
    ended = await export(export_plan(tmp_path, "Failed", store=store, max_result_bytes=7))
    assert ended.details["outcome"] == "Failed"
    assert await get(objects, "jobs/u1/logs/algorithm.log") == b"the end"
    assert (await manifest_of(objects)).files[0].size == 7


def test_no_output_ends_as_the_users_mistake(tmp_path: Path) -> None:
    write(tmp_path / "logs/algorithm.log", "nothing to say\n")
    ended = run("export", export_plan(tmp_path), tmp_path)
    assert ended.exit_code == 2
    assert (ended.report.reason, ended.report.user_error) == ("NoOutput", True)
    manifest = decode_manifest((tmp_path / "store/jobs/u1/manifest.json").read_bytes())
    assert manifest.outcome == "Failed"
    assert [file.path for file in manifest.files] == ["logs/algorithm.log"]


async def test_weights_that_are_no_model_give_no_facts(
    tmp_path: Path, store: Store, objects: ObjectStore
) -> None:
    write(tmp_path / "outputs/model/weights.bin", "x")
    await export(export_plan(tmp_path, store=store))
    assert (await manifest_of(objects)).model is None


@pytest.mark.parametrize("raw", ["{", "[1]", '{"metrics": 3}', '{"metrics": {"loss": NaN}}'])
async def test_a_report_that_cannot_be_read_gives_no_metrics(tmp_path: Path, raw: str) -> None:
    write(tmp_path / "outputs/report.json", raw)
    await export(export_plan(tmp_path))
    objects = open_store(folder_store(tmp_path), {})
    assert (await manifest_of(objects)).metrics == {}


def test_numbers_that_canonical_json_lacks_become_text() -> None:
    assert canonical({"a": [2**53 - 1, 2**60, True, -(2**60)], "b": 0.5}) == {
        "a": [2**53 - 1, str(2**60), True, str(-(2**60))],
        "b": 0.5,
    }
