"""Every example is one that a cluster would take."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.environment import ChainContracts
from posthuman.api.job import ComputeJob
from posthuman.cli.admitted import admitted
from posthuman.cli.story.cast import CAST, name_of
from posthuman.cli.story.script import (
    FOLDER,
    TINY,
    Upload,
    Uploads,
    chain_values,
    filled,
    values,
)
from posthuman.cli.story.shop import PURCHASES
from posthuman.errors import UserError
from posthuman.local.documents import documents_of, read_documents

DIGEST = "sha256:" + 64 * "a"
ENVIRONMENT = {
    "STORE_URL": "s3://posthuman/lab",
    "STORE_ENDPOINT": "http://s3.example:7070",
    "STORE_REGION": "us-east-1",
}
CONTRACTS = ChainContracts(
    erc721_factory="0x" + 40 * "1",
    ocean_token="0x" + 40 * "2",
    fixed_rate_exchange="0x" + 40 * "3",
    dispenser="0x" + 40 * "4",
)


def an_upload(name: str) -> Upload:
    return Upload(prefix=f"uploads/0x{40 * 'a'}/{name}", manifest_digest=DIGEST)


def the_values() -> dict[str, str]:
    uploads = Uploads(
        model=an_upload("model"),
        bob_text=an_upload("bob"),
        charlie_text=an_upload("charlie"),
        held_out=an_upload("held-out"),
    )
    orders = {purchase.variable: "0x" + 64 * "5" for purchase in PURCHASES}
    return values(TINY, uploads) | ENVIRONMENT | chain_values(8996, CONTRACTS) | orders


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("*.yaml")))
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
