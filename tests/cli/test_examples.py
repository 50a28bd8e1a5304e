"""Every example is one that a cluster would take."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.job import ComputeJob
from posthuman.cli.admitted import admitted
from posthuman.cli.story.cast import CAST, name_of
from posthuman.cli.story.script import (
    ENVIRONMENT_FILE,
    FILES,
    FOLDER,
    TINY,
    Upload,
    Uploads,
    filled,
    values,
)
from posthuman.errors import UserError
from posthuman.local.documents import documents_of, read_documents

DIGEST = "sha256:" + 64 * "a"
ENVIRONMENT = {
    "STORE_URL": "s3://posthuman/lab",
    "STORE_ENDPOINT": "http://s3.example:7070",
    "STORE_REGION": "us-east-1",
    "CHAIN_ID": "8996",
    "ERC721_FACTORY": "0x" + 40 * "1",
    "OCEAN_TOKEN": "0x" + 40 * "2",
}


def an_upload(name: str) -> Upload:
    return Upload(prefix=f"uploads/0x{40 * 'a'}/{name}", manifest_digest=DIGEST)


def the_values() -> dict[str, str]:
    uploads = Uploads(
        model=an_upload("model"),
        bob_text=an_upload("bob"),
        charlie_text=an_upload("charlie"),
        held_out=an_upload("held-out"),
    )
    return values(TINY, uploads) | ENVIRONMENT


@pytest.mark.parametrize("file", [ENVIRONMENT_FILE, *FILES])
def test_the_storys_manifests(file: str) -> None:
    objects = admitted(documents_of(file, filled(file, the_values())))
    assert objects is not None
    owners = [job.spec.owner for job in objects.all(ComputeJob)]
    owners += [asset.spec.owner for asset in objects.all(ModelAsset)]
    assert all(name_of(owner) in {person.name for person in CAST} for owner in owners)


@pytest.mark.parametrize("path", sorted(FOLDER.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_the_other_examples(path: Path) -> None:
    assert admitted(read_documents(path)) is not None


def test_a_value_that_is_missing_is_named() -> None:
    given = the_values()
    del given["BOB_TEXT"]
    with pytest.raises(UserError, match="needs a value for BOB_TEXT"):
        filled("bob-trains.yaml", given)
