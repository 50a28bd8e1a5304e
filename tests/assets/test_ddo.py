"""The DDO is what Ocean's markets and providers expect."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import msgspec
import pytest

from jobkit.manifest import Manifest
from posthuman.api.asset import ServiceKind
from posthuman.api.environment import ChainSpec
from posthuman.assets.ddo import ddo_of, encode_ddo, with_files
from posthuman.assets.did import did_of
from posthuman.assets.service_ddo import NOBODY, trusted_dids
from posthuman.assets.services import Trust, TrustedAlgorithm, services_in
from posthuman.assets.trust import AlgorithmFacts
from tests.assets.ocean_schema import violations
from tests.assets.world import DIGEST, JOB_UID, MANIFEST, PARENT, PREFIX, model_asset
from tests.builders import ALICE, BOB, CHAIN, SIGNER, environment

# rdflib warns of its own use of its own class.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")
NFT = "0x94099942864EA81cCF197E9D71ac53310b1468D8"
DATATOKEN = "0x06B1D212B8da92b83AF328De5eef4E211Da02097"
PROGRAM, OTHER_PROGRAM = "sha256:" + "5" * 64, "sha256:" + "6" * 64
ALGORITHM = AlgorithmFacts(
    did="did:op:" + "a" * 64,
    creator=ALICE,
    owner=ALICE,
    files_checksum="f" * 64,
    container_section_checksum="c" * 64,
    program=OTHER_PROGRAM,
)
MIXES = [
    mix
    for count in (1, 2, 3)
    for mix in itertools.combinations(("train", "infer", "evaluate"), count)
]


def made(
    manifest: Manifest = MANIFEST,
    provider_url: str = "",
    services: tuple[dict[str, Any], ...] = (),
    trusted: tuple[str, ...] = (),
    **metadata: Any,
) -> dict[str, Any]:
    """The DDO of a published asset, in clear; its metadata as given."""
    spec: dict[str, Any] = {"metadata": metadata} if metadata else {}
    asset = model_asset(services=list(services), **spec)
    status = msgspec.structs.replace(
        asset.status, nft=NFT, datatoken=DATATOKEN, publication_id="p1"
    )
    meta = msgspec.structs.replace(asset.metadata, creation_timestamp="2026-01-01T11:59:00Z")
    asset = msgspec.structs.replace(asset, status=status, metadata=meta)
    chain = msgspec.convert({**CHAIN, "providerUrl": provider_url}, ChainSpec)
    place = environment(chain=CHAIN, policy={"trustedAlgorithms": list(trusted)})
    algorithms = {ALGORITHM.did: ALGORITHM}
    return with_files(ddo_of(asset, place, chain, manifest, SIGNER, algorithms), {})


def trust_of(ddo: dict[str, Any]) -> list[Trust]:
    return [found.trust for found in services_in(encode_ddo(ddo))]


@pytest.mark.parametrize(
    "ddo",
    [
        made(),
        made(provider_url="https://provider.example.com"),
        made(name="GPT-2 ☃", description="Zeile 1\nZeile 2", license="MIT", tags=["a", "b"]),
        made(msgspec.structs.replace(MANIFEST, model=None, metrics={}, job={})),
        made(trusted=(PROGRAM, ALGORITHM.did)),
        *(made(services=tuple({"kind": kind} for kind in mix)) for mix in MIXES),
        made(
            services=(
                {"kind": "train", "builtins": False},
                {"kind": "infer", "timeout": "90m", "trustedPublishers": [BOB]},
                {"kind": "evaluate", "trustedAlgorithms": [ALGORITHM.did, PROGRAM]},
            )
        ),
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
    named = made(services=({"kind": "train", "trustedAlgorithms": [ALGORITHM.did]},))
    del named["services"][0]["compute"]["publisherTrustedAlgorithms"][0]["filesChecksum"]
    assert "TrustedAlgoShape" in violations(named)


def test_its_did_is_oceans() -> None:
    expected = hashlib.sha256(f"{NFT}8996".encode()).hexdigest()
    assert made()["id"] == f"did:op:{expected}" == did_of(NFT, 8996)


def test_it_sells_three_services_and_trusts_the_signers_programs_alone() -> None:
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
            "publisherTrustedAlgorithmPublishers": [SIGNER],
            "publisherTrustedAlgorithms": [],
        }


@pytest.mark.parametrize("mix", MIXES)
def test_it_sells_what_is_asked_for_in_one_order(mix: tuple[str, ...]) -> None:
    asked = tuple({"kind": kind, "timeout": "1h"} for kind in reversed(mix))
    services = made(services=asked)["services"]
    assert [found["id"] for found in services] == list(mix)
    assert {found["timeout"] for found in services} == {3600}


def test_without_services_of_its_own_it_trusts_what_the_environment_trusts_now() -> None:
    for trust in trust_of(made(trusted=(PROGRAM, ALGORITHM.did))):
        assert trust == Trust(
            builtins=True,
            programs=frozenset({PROGRAM, OTHER_PROGRAM}),
            algorithms=(TrustedAlgorithm(ALGORITHM.did, "f" * 64, "c" * 64),),
            publishers=frozenset({SIGNER.lower()}),
        )


def test_each_service_trusts_whom_it_names_and_nobody_else() -> None:
    train, infer, evaluate = trust_of(
        made(
            services=(
                {"kind": "train", "builtins": False, "trustedAlgorithms": [PROGRAM]},
                {"kind": "infer", "trustedPublishers": [BOB]},
                {"kind": "evaluate", "builtins": False, "trustedAlgorithms": [ALGORITHM.did]},
            ),
            trusted=(OTHER_PROGRAM,),
        )
    )
    assert (train.programs, train.builtins) == (frozenset({PROGRAM}), False)
    assert infer.publishers == {SIGNER.lower(), BOB.lower()}
    assert (infer.programs, infer.algorithms) == (frozenset(), ())
    assert [found.did for found in evaluate.algorithms] == [ALGORITHM.did]
    assert not evaluate.publishers


def test_a_service_for_nobody_names_nobody_since_to_oceans_provider_nothing_is_anything() -> None:
    (service,) = made(services=({"kind": "train", "builtins": False},))["services"]
    assert service["compute"]["publisherTrustedAlgorithmPublishers"] == [NOBODY]


def test_algorithm_assets_are_looked_up_once_each() -> None:
    services = [{"kind": kind, "trustedAlgorithms": [ALGORITHM.did, PROGRAM]} for kind in MIXES[-1]]
    assert trusted_dids(model_asset(services=services), environment()) == (ALGORITHM.did,)


def test_every_service_that_can_be_asked_for_has_words() -> None:
    for kind in ServiceKind:
        (service,) = made(services=({"kind": kind.value},))["services"]
        assert service["name"]
        assert service["description"]


def test_it_tells_what_the_manifest_tells() -> None:
    manifest = msgspec.structs.replace(
        MANIFEST,
        algorithm={"name": "train", "version": "0.2.0"},
        inputs=(
            {"name": "text", "kind": "dataset", "sha256": "0" * 64},
            {"name": "model", "kind": "model", "did": PARENT},
        ),
        parameters={"task": "causal-lm"},
    )
    assert made(manifest)["metadata"]["additionalInformation"]["posthuman"] == {
        "publicationId": "p1",
        "manifestDigest": DIGEST,
        "prefix": PREFIX,
        "parents": [PARENT],
        "job": {"namespace": "bob", "name": "bob-trains", "uid": JOB_UID},
        "baseModel": PARENT,
        "task": "causal-lm",
        "algorithm": {"name": "train", "version": "0.2.0"},
        "modelType": "gpt2",
        "parameterCount": 124_000_000,
        "metrics": {"loss": 2.5},
        "license": "",
    }


def test_what_nobody_said_it_doesnt_say() -> None:
    facts = made()["metadata"]["additionalInformation"]["posthuman"]
    assert (facts["baseModel"], facts["task"]) == ("", "")


def test_an_unnamed_author_is_the_owner() -> None:
    assert made()["metadata"]["author"] == BOB


def test_its_bytes_are_compact_and_readable() -> None:
    raw = encode_ddo(made(name="GPT-2 ☃", description="a snowman's model"))
    assert "☃".encode() in raw
    assert b": " not in raw
    assert json.loads(raw)["metadata"]["name"] == "GPT-2 ☃"
