"""What an asset may be, and the sentence that says what to do where it may not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobkit.manifest import Manifest
from posthuman.assets.publication_id import publication_id
from posthuman.assets.review import review, review_manifest, reward_wei
from tests.assets.world import DIGEST, JOB_UID, MANIFEST, TOKENS, model_asset
from tests.builders import ALICE, BOB, CHAIN, environment

PERSONAL: dict[str, Any] = {"jobUid": "", "parents": [], "reward": None}
UPLOAD = {"prefix": f"uploads/{BOB.lower()}/gpt2", "manifestDigest": DIGEST}


def reason(chain: dict[str, Any] | None = CHAIN, tenants: Any = (), **spec: Any) -> str:
    """Why an asset is refused; empty if it isn't."""
    offer = environment(chain=chain, policy={"tenants": tenants})
    problem = review(model_asset(**spec), offer)
    return problem.reason if problem else ""


def source(prefix: str) -> dict[str, str]:
    return {"prefix": prefix, "manifestDigest": DIGEST}


def test_a_jobs_asset_is_accepted() -> None:
    assert reason() == ""


def test_an_environment_without_a_chain_publishes_nothing() -> None:
    assert reason(chain=None) == "NoChain"


@pytest.mark.parametrize(
    "prefix",
    [
        f"uploads/{BOB.lower()}/gpt2",
        f"uploads/{BOB.lower()}/gpt2/",
        f"uploads/{BOB.lower()}/deep/er",
    ],
)
def test_a_persons_asset_lies_below_their_uploads(prefix: str) -> None:
    assert reason(**PERSONAL, source=source(prefix)) == ""


@pytest.mark.parametrize(
    "prefix",
    [
        f"uploads/{ALICE.lower()}/gpt2",
        f"uploads/{BOB}/gpt2",  # keys are told apart by case: uploads lie under the lower one
        f"uploads/{BOB.lower()}",
        f"uploads/{BOB.lower()}x/gpt2",
        f"uploads/{BOB.lower()}/",
        f"jobs/{JOB_UID}",
        "gpt2",
    ],
)
def test_a_person_cant_publish_what_isnt_theirs(prefix: str) -> None:
    assert reason(**PERSONAL, source=source(prefix)) == "UploadNotOwned"


@pytest.mark.parametrize(
    "prefix", [f"uploads/{BOB.lower()}/../{ALICE.lower()}", "/jobs/x", "jobs//x", "./jobs/x", ""]
)
def test_a_path_that_wanders_is_refused(prefix: str) -> None:
    assert reason(source=source(prefix)) == "InvalidSource"
    assert reason(**PERSONAL, source=source(prefix)) == "InvalidSource"


def test_a_jobs_asset_lies_in_its_own_results() -> None:
    assert reason(source=source("jobs/another-uid")) == "SourceNotOfJob"
    assert reason(source=source(f"uploads/{BOB.lower()}/gpt2")) == "SourceNotOfJob"


@pytest.mark.parametrize(
    ("tenants", "refused"),
    [
        ([], ""),
        ([{"namespace": "bob"}], ""),
        ([{"namespace": "bob", "owners": [BOB.upper().replace("0X", "0x")]}], ""),
        ([{"namespace": "alice"}], "NamespaceNotAllowed"),
        ([{"namespace": "bob", "owners": [ALICE]}], "OwnerNotAllowed"),
    ],
)
def test_a_namespace_acts_for_its_own_people_alone(tenants: Any, refused: str) -> None:
    assert reason(tenants=tenants, **PERSONAL, source=UPLOAD) == refused


def test_a_jobs_tenant_was_reviewed_with_the_job() -> None:
    assert reason(tenants=[{"namespace": "alice"}]) == ""


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"owner": "0x12"}, "InvalidAddress"),
        ({"reward": {"to": "bob", "amount": "1"}}, "InvalidAddress"),
        ({"reward": {"to": BOB, "amount": "-1"}}, "InvalidReward"),
        ({"reward": {"to": BOB, "amount": "1e3"}}, "InvalidReward"),
        ({"metadata": {"name": "GPT", "description": "long enough"}}, "MetadataTooShort"),
        ({"metadata": {"name": "GPT-2", "description": "short"}}, "MetadataTooShort"),
    ],
)
def test_other_faults_are_told(spec: dict[str, Any], refused: str) -> None:
    assert reason(**spec) == refused


def test_rewards_are_counted_in_wei() -> None:
    assert reward_wei(model_asset()) == 200 * TOKENS
    assert reward_wei(model_asset(reward={"to": BOB, "amount": "0.5"})) == TOKENS // 2
    assert reward_wei(model_asset(reward=None)) == 0


@pytest.mark.parametrize(
    ("manifest", "digest", "refused"),
    [
        (MANIFEST, DIGEST, ""),
        (MANIFEST, "sha256:" + "e" * 64, "ManifestMismatch"),
        (msgspec.structs.replace(MANIFEST, outcome="Failed"), DIGEST, "SourceFailed"),
        (msgspec.structs.replace(MANIFEST, files=()), DIGEST, "NoModel"),
        (msgspec.structs.replace(MANIFEST, model=None), DIGEST, "NoModel"),
    ],
)
def test_the_stores_manifest_is_believed_alone(
    manifest: Manifest, digest: str, refused: str
) -> None:
    problem = review_manifest(model_asset(), manifest, digest)
    assert (problem.reason if problem else "") == refused


def test_a_publication_id_is_the_same_for_the_same_asset_alone() -> None:
    first = publication_id(model_asset(), 8996)
    assert len(first) == 64
    assert publication_id(model_asset(owner=BOB.lower()), 8996) == first
    others = {
        publication_id(model_asset(), 1),
        publication_id(model_asset("other"), 8996),
        publication_id(model_asset(owner=ALICE), 8996),
        publication_id(model_asset(source=source("jobs/x") | {"manifestDigest": "no"}), 8996),
    }
    assert len(others - {first}) == 4
    assert publication_id(model_asset(publicationId="given"), 8996) == "given"


FIXED = {"kind": "FixedRate", "token": ALICE, "rate": "2.5"}
SOLD_HERE = {**CHAIN, "contracts": {"erc721Factory": ALICE}}


@pytest.mark.parametrize(
    "pricing",
    [
        {**FIXED, "rate": "0"},
        {**FIXED, "rate": "-1"},
        {**FIXED, "rate": "1e3"},
        {**FIXED, "rate": "1" + "0" * 19},
        {**FIXED, "token": "OCEAN"},
    ],
)
def test_a_price_that_no_contract_takes_is_refused(pricing: dict[str, str]) -> None:
    assert reason(pricing=FIXED) == ""
    assert reason(pricing=pricing) == "InvalidPricing"


@pytest.mark.parametrize("kind", ["FixedRate", "Free"])
def test_a_sale_needs_its_contract(kind: str) -> None:
    assert reason(chain=SOLD_HERE) == ""
    assert reason(chain=SOLD_HERE, pricing={**FIXED, "kind": kind}) == "PricingUnavailable"


@pytest.mark.parametrize(
    "services",
    [
        [{"kind": "train"}, {"kind": "train"}],
        [{"kind": "infer", "timeout": "soon"}],
        [{"kind": "infer", "trustedAlgorithms": ["anything"]}],
        [{"kind": "infer", "trustedAlgorithms": ["*"]}],
        [{"kind": "infer", "trustedPublishers": ["*"]}],
    ],
)
def test_services_that_mean_nothing_are_refused(services: list[dict[str, Any]]) -> None:
    assert reason(services=[{"kind": "train"}, {"kind": "infer", "timeout": "2h30m"}]) == ""
    assert reason(services=services) == "InvalidServices"
