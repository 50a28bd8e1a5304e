"""`posthuman upload`'s work: what lies in the store afterwards can be fetched as an input."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import ObjectStore

from jobkit.fetch import fetch
from jobkit.manifest import decode_manifest, digest_of
from jobkit.objects import open_store
from jobkit.plan import StageInput
from posthuman.errors import UserError
from posthuman.store.upload import upload
from tests.jobkit.plans import OWNER, folder_store, stage_plan, write
from tests.jobkit.tiny_model import TINY

CHECKSUM_CASE = "0x" + "Ab" * 20


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_store(folder_store(tmp_path), {})


async def test_a_folder_without_its_links(tmp_path: Path, objects: ObjectStore) -> None:
    write(tmp_path / "secret", "x")
    write(tmp_path / "data/a/b.txt", "one")
    (tmp_path / "data/link").symlink_to(tmp_path / "secret")
    prefix, digest = await upload(objects, CHECKSUM_CASE, "corpus", tmp_path / "data", "dataset")
    assert prefix == f"uploads/{OWNER}/corpus"
    raw = (tmp_path / "store" / prefix / "manifest.json").read_bytes()
    assert digest == digest_of(raw)
    assert [(f.path, f.file_class) for f in decode_manifest(raw).files] == [("a/b.txt", "result")]
    wanted = StageInput(name="text", kind="dataset", upload=prefix, sha256=digest[7:])
    await fetch(stage_plan(tmp_path, [wanted]))
    assert (tmp_path / "inputs/text/a/b.txt").read_text() == "one"


async def test_a_single_file(tmp_path: Path, objects: ObjectStore) -> None:
    path = write(tmp_path / "corpus.jsonl", "one")
    prefix, _ = await upload(objects, OWNER, "corpus", path, "file")
    assert (tmp_path / "store" / prefix / "corpus.jsonl").read_text() == "one"


async def test_a_model_lies_below_model(tmp_path: Path, objects: ObjectStore) -> None:
    for name, content in TINY.items():
        write(tmp_path / "tiny" / name, content)
    prefix, digest = await upload(objects, OWNER, "tiny", tmp_path / "tiny", "model")
    manifest = decode_manifest((tmp_path / "store" / prefix / "manifest.json").read_bytes())
    assert {file.path for file in manifest.files} == {f"model/{name}" for name in TINY}
    assert {file.file_class for file in manifest.files} == {"custody"}
    assert manifest.model is not None
    wanted = StageInput(name="model", kind="model", asset=prefix, manifest_digest=digest)
    await fetch(stage_plan(tmp_path, [wanted]))
    assert (tmp_path / "inputs/model/config.json").read_bytes() == TINY["config.json"]


async def test_the_same_again_is_the_same_upload(tmp_path: Path, objects: ObjectStore) -> None:
    path = write(tmp_path / "a.txt", "one")
    first = await upload(objects, OWNER, "corpus", path, "file")
    assert await upload(objects, OWNER, "corpus", path, "file") == first


async def test_other_content_needs_another_name(tmp_path: Path, objects: ObjectStore) -> None:
    path = write(tmp_path / "a.txt", "one")
    prefix, _ = await upload(objects, OWNER, "corpus", path, "file")
    write(path, "two")
    with pytest.raises(UserError, match="choose another name"):
        await upload(objects, OWNER, "corpus", path, "file")
    assert (tmp_path / "store" / prefix / "a.txt").read_text() == "one"


@pytest.mark.parametrize(
    ("owner", "name"),
    [("0x12", "x"), (OWNER + "/..", "x"), (OWNER, ".."), (OWNER, "a/b"), (OWNER, "A"), (OWNER, "")],
)
async def test_owner_and_name_are_plain(
    tmp_path: Path, objects: ObjectStore, owner: str, name: str
) -> None:
    with pytest.raises(UserError, match=r"owner|name"):
        await upload(objects, owner, name, write(tmp_path / "a", "x"), "file")


async def test_nothing_to_upload_is_said(tmp_path: Path, objects: ObjectStore) -> None:
    with pytest.raises(UserError, match=r"nothing to upload at .*absent"):
        await upload(objects, OWNER, "corpus", tmp_path / "absent", "file")


async def test_a_pickled_model_is_refused(tmp_path: Path, objects: ObjectStore) -> None:
    for name, content in {**TINY, "pytorch_model.bin": b"x"}.items():
        write(tmp_path / "tiny" / name, content)
    with pytest.raises(UserError, match="pickle"):
        await upload(objects, OWNER, "tiny", tmp_path / "tiny", "model")
    assert not (tmp_path / "store/uploads").exists()
