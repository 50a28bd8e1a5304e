"""Custody is inherited: what may run on a model is what all of its line trust, first and now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.assets.services import services_in
from posthuman.assets.trust import (
    AlgorithmFacts,
    Custodian,
    Custody,
    Line,
    review_custody,
    trusted_files,
)
from posthuman.environments.program import program_digest
from posthuman.environments.verdict import Refusal, Verdict, Waiting
from tests.assets.lines import EVERYTHING, ddo, service
from tests.builders import (
    ALICE,
    ALICE_DID,
    BOB,
    CHAIN,
    MODEL_INPUT,
    SIGNER,
    asset,
    environment,
    job,
)

MANIFEST_DIGEST = asset().spec.source.manifest_digest
PARENT_DID = "did:op:" + "b" * 64
IMAGE = {"reference": "acme/x", "digest": "sha256:" + "1" * 64, "entrypoint": ["run"]}
ALGORITHM_DID = "did:op:" + "a" * 64


def job_image() -> str:
    found = job(algorithm={"image": IMAGE}).spec.algorithm.image
    assert found
    return program_digest(found)


PROGRAM = job_image()


def custodian(
    first: bytes | None = EVERYTHING, current: bytes | None = EVERYTHING, **more: Any
) -> Custodian:
    """An asset with what its DDOs say; None: unreadable."""
    facts = {"did": ALICE_DID, "creator": SIGNER, "manifest_digest": MANIFEST_DIGEST, **more}
    return Custodian(
        first=None if first is None else services_in(first),
        current=None if current is None else services_in(current),
        **facts,
    )


def parent(first: bytes = EVERYTHING, current: bytes = EVERYTHING, **more: Any) -> Custodian:
    return custodian(first, current, **{"did": PARENT_DID, "manifest_digest": "", **more})


def ruled(
    *line: Custodian,
    algorithm: Mapping[str, Any] | None = None,
    facts: AlgorithmFacts | None = None,
    policy: tuple[str, ...] = (),
    held: ModelAsset | None = None,
    **spec: Any,
) -> Verdict:
    """What becomes of a job that trains (by default) on a model with this line."""
    named = algorithm or {"builtin": {"name": "train"}}
    wanted = job(algorithm=named, inputs=[MODEL_INPUT], **spec)
    place = environment(chain=CHAIN, policy={"trustedAlgorithms": list(policy)})
    custody = Custody(lines={"model": Line(custodians=line)}, algorithm=facts)
    return review_custody(wanted, place, {"model": held or asset()}, custody)


def reason(*line: Custodian, **more: Any) -> str:
    verdict = ruled(*line, **more)
    return verdict.reason if verdict else ""


def test_a_built_in_runs_on_what_was_published_here() -> None:
    assert reason(custodian(), parent()) == ""


@pytest.mark.parametrize(
    ("builtin", "kind"),
    [
        ("train", "train"),
        ("evaluate", "evaluate"),
        ("generate", "infer"),
        ("question-answer", "infer"),
    ],
)
def test_each_built_in_needs_its_service(builtin: str, kind: str) -> None:
    algorithm = {"builtin": {"name": builtin}}
    assert reason(custodian(first=ddo(service(kind))), algorithm=algorithm) == ""
    others = ddo(*(service(other) for other in ("train", "infer", "evaluate") if other != kind))
    refused = ruled(custodian(first=others), algorithm=algorithm)
    assert isinstance(refused, Refusal)
    assert refused.reason == "ServiceNotOffered"
    assert f"doesn't offer {kind}: it is for" in refused.message


def test_an_owner_may_refuse_the_built_ins() -> None:
    own = ddo(service("train", builtins=False))
    assert reason(custodian(first=own)) == "AlgorithmNotTrusted"
    nobody = ddo(service("train", publisherTrustedAlgorithmPublishers=[ALICE]))
    assert reason(custodian(first=nobody)) == "AlgorithmNotTrusted"


@pytest.mark.parametrize("who", ["itself", "parent"])
def test_whoever_narrows_a_ddo_is_obeyed(who: str) -> None:
    narrowed = ddo(service("infer"))
    line = (
        (custodian(current=narrowed), parent())
        if who == "itself"
        else (custodian(), parent(current=narrowed))
    )
    refused = ruled(*line)
    assert isinstance(refused, Refusal)
    assert "doesn't offer train any more" in refused.message


def test_a_ddo_that_is_gone_offers_nothing() -> None:
    assert reason(custodian(current=b"")) == "ServiceNotOffered"


TRUSTING = ddo(service("train", (PROGRAM,)), service("infer", (PROGRAM,)))


def test_a_program_of_ones_own_needs_the_whole_lines_trust_first_and_now() -> None:
    image = {"image": IMAGE}
    assert reason(custodian(TRUSTING, TRUSTING), parent(TRUSTING, TRUSTING), algorithm=image) == ""
    for line in (
        (custodian(EVERYTHING, TRUSTING), parent(TRUSTING, TRUSTING)),  # the owner widened it
        (custodian(TRUSTING, EVERYTHING), parent(TRUSTING, TRUSTING)),  # the owner narrowed it
        (custodian(TRUSTING, TRUSTING), parent(EVERYTHING, TRUSTING)),
        (custodian(TRUSTING, TRUSTING), parent(TRUSTING, EVERYTHING)),
    ):
        assert reason(*line, algorithm=image) == "AlgorithmNotTrusted"


def test_a_star_in_a_later_ddo_widens_nothing() -> None:
    anything = ddo(service("infer", publisherTrustedAlgorithms=["*"]))
    assert reason(custodian(EVERYTHING, anything), algorithm={"image": IMAGE}) != ""


def test_an_image_without_a_digest_is_no_program() -> None:
    bare = {"image": {"reference": "acme/x"}}
    trusting_nothing = ddo(service("infer", ("",)))
    assert reason(custodian(trusting_nothing, trusting_nothing), algorithm=bare) != ""


def test_what_trains_must_be_trusted_to_train() -> None:
    only_infers = ddo(service("train"), service("infer", (PROGRAM,)))
    line, image = custodian(only_infers, only_infers), {"image": IMAGE}
    assert reason(line, algorithm=image) == ""
    publish = {"name": "Bob's GPT-2", "description": "500 more steps"}
    assert reason(line, algorithm=image, publish=publish) == "AlgorithmNotTrusted"


def test_only_what_this_environments_signer_put_on_chain_counts() -> None:
    for line in ((custodian(creator=BOB),), (custodian(), parent(creator=BOB))):
        refused = ruled(*line)
        assert isinstance(refused, Refusal)
        assert refused.reason == "UnknownPublisher"
        assert BOB in refused.message


def test_other_files_than_those_that_the_chain_names_are_refused() -> None:
    refused = ruled(custodian(manifest_digest="sha256:" + "9" * 64))
    assert isinstance(refused, Refusal)
    assert refused.reason == "AssetChanged"
    assert MANIFEST_DIGEST in refused.message


def test_what_cant_be_read_is_waited_for_and_never_run() -> None:
    for line in ((custodian(first=None),), (custodian(current=None),)):
        verdict = ruled(*line)
        assert isinstance(verdict, Waiting)
        assert verdict.reason == "MetadataUnreadable"
    assert isinstance(ruled(), Waiting)  # nothing is known yet
    away = Line(problem=Waiting("ChainUnreachable", "the node is away"))
    custody = Custody(lines={"model": away})
    wanted = job(inputs=[MODEL_INPUT])
    verdict = review_custody(wanted, environment(chain=CHAIN), {"model": asset()}, custody)
    assert verdict == away.problem


def test_a_refusal_counts_before_a_wait() -> None:
    second = {**MODEL_INPUT, "name": "other"}
    wanted = job(inputs=[MODEL_INPUT, second])
    lines = {"other": Line(custodians=(custodian(creator=BOB),))}
    assets: dict[str, ModelAsset | None] = {"model": asset(), "other": asset()}
    verdict = review_custody(wanted, environment(chain=CHAIN), assets, Custody(lines=lines))
    assert isinstance(verdict, Refusal)


def test_without_a_chain_nothing_is_inherited_but_raw_code_stays_away() -> None:
    raw = {"raw": {"uri": "https://example.com/x.py"}, "container": {"image": "python:3.11"}}
    place, held = environment(), {"model": asset()}
    assert review_custody(job(inputs=[MODEL_INPUT]), place, held, Custody()) is None
    verdict = review_custody(job(inputs=[MODEL_INPUT], algorithm=raw), place, held, Custody())
    assert isinstance(verdict, Refusal)
    assert verdict.reason == "RawCodeRefused"
    assert review_custody(job(algorithm=raw), place, {}, Custody()) is None


CONTAINER = {"image": "acme/x:1", "digest": "sha256:" + "1" * 64, "entrypoint": "run $ALGO"}
BY_DID = {"did": ALGORITHM_DID, "container": CONTAINER}


def section() -> str:
    """Ocean's checksum of the container that the job names."""
    return hashlib.sha256((CONTAINER["entrypoint"] + CONTAINER["digest"]).encode()).hexdigest()


def named(files: str = "f1", checksum: str | None = None) -> bytes:
    entry = {
        "did": ALGORITHM_DID,
        "filesChecksum": files,
        "containerSectionChecksum": section() if checksum is None else checksum,
    }
    return ddo(service("infer", publisherTrustedAlgorithms=[entry]))


def facts(**changes: str) -> AlgorithmFacts:
    usual = {
        "did": ALGORITHM_DID,
        "creator": ALICE,
        "owner": ALICE,
        "container_section_checksum": section(),
    }
    return AlgorithmFacts(**{**usual, **changes})


def of_did(*line: Custodian, **more: Any) -> str:
    given = {"algorithm": BY_DID, "facts": facts(), "policy": (ALGORITHM_DID,), **more}
    return reason(*line, **given)


def test_an_algorithm_asset_is_trusted_by_its_did_and_what_it_holds() -> None:
    line = custodian(named(), named()), parent(named(), named())
    assert of_did(*line) == ""
    assert of_did(*line, policy=()) == "AlgorithmNotTrusted"  # the environment's own word
    other = named(checksum="0" * 64)
    assert of_did(custodian(other, other)) == "AlgorithmNotTrusted"
    assert of_did(custodian(named(), EVERYTHING)) == "AlgorithmNotTrusted"


def test_code_in_a_file_is_never_trusted_by_its_containers_digest() -> None:
    everything = ddo(service("infer", (PROGRAM, ALGORITHM_DID, section())))
    assert of_did(custodian(everything, everything)) == "AlgorithmNotTrusted"


def test_a_publisher_counts_who_made_the_algorithm_and_still_has_it() -> None:
    trusting = ddo(service("infer", publisherTrustedAlgorithmPublishers=[ALICE.lower()]))
    line = custodian(trusting, trusting)
    assert of_did(line) == ""
    assert of_did(line, facts=facts(owner=BOB)) == "AlgorithmNotTrusted"  # sold since
    assert of_did(line, facts=facts(creator=BOB)) == "AlgorithmNotTrusted"  # given to her
    assert of_did(line, facts=None) == "AlgorithmNotTrusted"  # not on chain
    replaced = facts(container_section_checksum="0" * 64)  # the job names another container
    assert of_did(line, facts=replaced) == "AlgorithmNotTrusted"


def test_the_files_of_a_trusted_algorithm_are_told_to_the_stage_step() -> None:
    wanted = job(algorithm=BY_DID, inputs=[MODEL_INPUT])
    line = Line(custodians=(custodian(named("F1"), named("F1")), parent(named("f1"), named("f1"))))
    assert trusted_files(wanted, Custody(lines={"model": line})) == "f1"
    assert trusted_files(job(inputs=[MODEL_INPUT]), Custody(lines={"model": line})) == ""
    assert of_did(custodian(named("f1"), named("f2"))) == "AlgorithmNotTrusted"


def test_the_words_name_whose_trust_is_missing() -> None:
    refused = ruled(custodian(TRUSTING, TRUSTING), parent(), algorithm={"image": IMAGE})
    assert isinstance(refused, Refusal)
    assert PARENT_DID in refused.message
    assert PROGRAM in refused.message
    assert 'input "model"' in refused.message


def test_an_asset_that_isnt_ready_is_waited_for_elsewhere() -> None:
    unready = msgspec.structs.replace(asset(ready=False))
    assert ruled(held=unready) is None
