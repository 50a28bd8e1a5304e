"""The DDO is what Ocean's markets and providers expect."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from jobkit.manifest import Manifest
from posthuman.api.environment import ChainSpec
from posthuman.assets.ddo import ddo_of, encode_ddo
from posthuman.assets.did import did_of
from tests.assets.ocean_schema import violations
from tests.assets.world import DIGEST, JOB_UID, MANIFEST, PARENT, PREFIX, model_asset
from tests.builders import ALICE, BOB, CHAIN, environment

# rdflib warns of its own use of its own class.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
DATATOKEN = "0x06B1D212B8da92b83AF328De5eef4E211Da02097"


def made(manifest: Manifest = MANIFEST, provider_url: str = "", **metadata: Any) -> dict[str, Any]:
    """The DDO of a published asset; its metadata as given."""
    asset = model_asset(metadata=metadata) if metadata else model_asset()
    status = msgspec.structs.replace(
        asset.status, nft=NFT, datatoken=DATATOKEN, publication_id="p1"
    )
    meta = msgspec.structs.replace(asset.metadata, creation_timestamp="2026-01-01T11:59:00Z")
    asset = msgspec.structs.replace(asset, status=status, metadata=meta)
    chain = msgspec.convert({**CHAIN, "providerUrl": provider_url}, ChainSpec)
    return ddo_of(asset, environment(chain=CHAIN), chain, manifest, ALICE)


@pytest.mark.parametrize(
    "ddo",
    [
        made(),
        made(provider_url="https://provider.example.com"),
        made(name="GPT-2 ☃", description="Zeile 1\nZeile 2", license="MIT", tags=["a", "b"]),
        made(msgspec.structs.replace(MANIFEST, model=None, metrics={}, job={})),
    ],
)
def test_it_is_valid_against_oceans_schema(ddo: dict[str, Any]) -> None:
    assert violations(ddo) == ""


@pytest.mark.parametrize("field", ["id", "chainId", "nftAddress", "metadata"])
def test_the_schema_does_refuse(field: str) -> None:
    ddo = {name: value for name, value in made().items() if name != field}
    assert field in violations(ddo)


def test_the_schema_does_refuse_what_is_deep_inside() -> None:
    assert "MinLength" in violations(made(name="GPT", description="a model of models"))


def test_its_did_is_oceans() -> None:
    expected = hashlib.sha256(f"{NFT}8996".encode()).hexdigest()
    assert made()["id"] == f"did:op:{expected}" == did_of(NFT, 8996)


def test_it_sells_three_services_and_trusts_the_signers_algorithms_alone() -> None:
    services = made(provider_url="https://provider.example.com")["services"]
    assert [found["id"] for found in services] == ["train", "infer", "evaluate"]
    for service in services:
        assert service["type"] == "compute"
        assert service["datatokenAddress"] == DATATOKEN
        assert service["serviceEndpoint"] == "https://provider.example.com"
        assert service["timeout"] == 24 * 3600
        assert service["compute"] == {
            "allowRawAlgorithm": False,
            "allowNetworkAccess": False,
            "publisherTrustedAlgorithmPublishers": [ALICE],
            "publisherTrustedAlgorithms": [],
        }


def test_it_tells_what_the_manifest_tells() -> None:
    assert made()["metadata"]["additionalInformation"]["posthuman"] == {
        "publicationId": "p1",
        "manifestDigest": DIGEST,
        "prefix": PREFIX,
        "parents": [PARENT],
        "job": {"namespace": "bob", "name": "bob-trains", "uid": JOB_UID},
        "modelType": "gpt2",
        "parameterCount": 124_000_000,
        "metrics": {"loss": 2.5},
        "license": "",
    }


def test_an_unnamed_author_is_the_owner() -> None:
    assert made()["metadata"]["author"] == BOB


def test_its_bytes_are_compact_and_readable() -> None:
    raw = encode_ddo(made(name="GPT-2 ☃", description="a snowman's model"))
    assert "☃".encode() in raw
    assert b": " not in raw
    assert json.loads(raw)["metadata"]["name"] == "GPT-2 ☃"
