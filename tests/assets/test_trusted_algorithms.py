"""An asset that trusts an algorithm asset trusts what it holds on the day of publication."""

from __future__ import annotations

import hashlib

import pytest

from posthuman.assets.algorithm_ddo import Algorithm, Image, algorithm_ddo
from posthuman.assets.ddo import encode_ddo
from posthuman.assets.did import did_of
from posthuman.assets.published_algorithm import algorithm_in
from posthuman.assets.services import Trust, services_in
from posthuman.chain import CreatedNFT, Publication, SetDDO
from tests.assets.world import World, model_asset
from tests.builders import ALICE, BOB
from tests.fakes.ledger import CHAIN_ID, address

NFT = address("algorithm")
DID = did_of(NFT, CHAIN_ID)
ALGORITHM = Algorithm(
    name="count-words",
    title="Count words",
    description="How often each word occurs",
    version="1.0.0",
    language="python",
    entrypoint=("python", "-m", "count words"),
    image=Image(image="ghcr.io/acme/count", tag="1.0.0", digest="sha256:" + "1" * 64),
    inputs={},
    schema={},
    code_digest="sha256:" + "2" * 64,
)
CREATION = CreatedNFT(
    publication=Publication(publication_id="p", parents=(), manifest_digest=""),
    nft=NFT,
    datatoken=address("datatoken"),
    hash="0x1",
    block=1,
    creator=ALICE,
)
PUBLISHED = encode_ddo(
    algorithm_ddo(ALGORITHM, CREATION, CHAIN_ID, "urn:posthuman:nowhere", "2026-01-01T00:00:00Z")
)
TRUSTING = [{"kind": "train", "builtins": False, "trustedAlgorithms": [DID]}]


def test_its_checksums_are_oceans() -> None:
    found = algorithm_in(PUBLISHED, DID, ALICE, BOB)
    container = "python -m 'count words'" + ALGORITHM.image.digest
    assert found.container_section_checksum == hashlib.sha256(container.encode()).hexdigest()
    assert found.container_section_checksum == ALGORITHM.container_section_checksum
    assert found.files_checksum == "2" * 64
    assert (found.creator, found.owner) == (ALICE, BOB)


def test_its_image_is_the_program_that_a_job_may_run() -> None:
    assert algorithm_in(PUBLISHED, DID, ALICE, ALICE).program == ALGORITHM.program_digest


def test_with_code_beside_the_image_the_image_is_no_program() -> None:
    ddo = PUBLISHED.replace(b"python -m 'count words'", b"python $ALGO")
    assert algorithm_in(ddo, DID, ALICE, ALICE).program == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"metadata":{"algorithm":5}}',
        b'{"metadata":{"algorithm":{"container":{"entrypoint":"\xff"}}}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_algorithm_has_no_checksums(raw: bytes) -> None:
    found = algorithm_in(raw, DID, ALICE, ALICE)
    assert (found.files_checksum, found.container_section_checksum, found.program) == ("", "", "")


async def test_the_assets_ddo_names_what_the_algorithm_holds() -> None:
    world = World()
    world.chain.put(CREATION, ALICE, PUBLISHED)
    key = world.add(model_asset(services=TRUSTING))
    await world.publish(key)
    (said,) = world.chain.nfts[world.asset(key).status.nft].ddos
    (service,) = services_in(said.content)
    (named,) = service.trust.algorithms
    assert (named.did, named.files_checksum) == (DID, "2" * 64)
    assert named.container_section_checksum == ALGORITHM.container_section_checksum
    assert service.trust == Trust(
        programs=frozenset({ALGORITHM.program_digest}), algorithms=service.trust.algorithms
    )


@pytest.mark.parametrize("state", ["not on chain", "no DDO", "encrypted"])
async def test_what_cant_be_read_isnt_trusted_and_nothing_is_signed(state: str) -> None:
    world = World()
    if state != "not on chain":
        world.chain.put(CREATION, ALICE)
    if state == "encrypted":
        sealed = SetDDO(content=b"", digest="0" * 64, encrypted=True)
        world.chain.nfts[NFT].ddos.append(sealed)
    key, operator = world.add(model_asset(services=TRUSTING)), world.operator()
    for _ in range(5):
        await world.one_pass(operator, key)
    assert world.condition(key).reason == "AlgorithmUnknown"
    assert DID in world.condition(key).message
    assert not world.asset(key).status.transactions
    world.chain.put(CREATION, ALICE, PUBLISHED)
    await world.publish(key)
