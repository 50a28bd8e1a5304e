"""May this job run here? A table: what is asked, and the sentence's reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from posthuman.api.asset import ModelAsset
from posthuman.api.job import ImageAlgorithm
from posthuman.environments.policy import review, unknown_environment
from posthuman.environments.program import program_digest
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict, Waiting
from tests.builders import (
    BOB,
    CHAIN,
    MODEL_INPUT,
    SETTINGS,
    TEXT_INPUT,
    asset,
    environment,
    job,
)


def request(
    spec: dict[str, Any] | None = None,
    env: dict[str, Any] | None = None,
    assets: dict[str, ModelAsset | None] | None = None,
    allow_files: bool = False,
) -> Request:
    return Request(
        job=job(**(spec or {})),
        environment=environment(**(env or {})),
        assets=assets or {},
        catalogue=SETTINGS.catalogue,
        allow_files=allow_files,
    )


def test_a_whole_job_is_accepted() -> None:
    assert review(request()) is None


def uri(target: str) -> dict[str, Any]:
    model = {**TEXT_INPUT, "name": "model", "kind": "model"}
    return {"inputs": [{**TEXT_INPUT, "uri": target}, model]}


IMAGE = {"algorithm": {"image": {"reference": "ghcr.io/acme/x", "digest": "sha256:" + "d" * 64}}}
ACME = {"policy": {"allowedImages": ["ghcr.io/acme/"]}}

DEEP: dict[str, Any] = {}
for _ in range(100):
    DEEP = {"a": [DEEP]}

REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    (
        "namespace",
        {},
        {"policy": {"tenants": [{"namespace": "eve"}]}},
        "NamespaceNotAllowed",
        "bob",
    ),
    (
        "owner",
        {"owner": "0x" + "1" * 40},
        {"policy": {"tenants": [{"namespace": "bob", "owners": [BOB]}]}},
        "OwnerNotAllowed",
        "0x1111",
    ),
    ("timeout", {"timeout": "25h"}, {}, "TimeoutAboveLimit", "at most 24h"),
    ("nodes", {"nodes": 2}, {}, "TooManyNodes", "more than the environment's 1"),
    (
        "shared workspace",
        {"nodes": 2},
        {"hardware": {"maxNodes": 2}},
        "WorkspaceNotShared",
        "ReadWriteMany",
    ),
    ("gpus", {"gpusPerNode": 9}, {}, "TooManyGPUs", "a node's 8"),
    ("cpu", {"resources": {"cpu": "9"}}, {}, "TooMuchCPU", "a node's 8"),
    ("no memory", {"resources": {"memory": "0"}}, {}, "NoResources", "resources.memory"),
    ("no cpu", {"resources": {"cpu": "0m"}}, {}, "NoResources", "resources.cpu"),
    ("memory", {"resources": {"memory": "65Gi"}}, {}, "TooMuchMemory", "64Gi"),
    (
        "algorithm",
        {"algorithm": {"builtin": {"name": "trian"}}},
        {},
        "UnknownAlgorithm",
        'did you mean "train"?',
    ),
    (
        "version",
        {"algorithm": {"builtin": {"name": "train", "version": "9"}}},
        {},
        "UnknownAlgorithmVersion",
        "0.1.0",
    ),
    ("input", {"inputs": [TEXT_INPUT]}, {}, "MissingInput", '"model"'),
    (
        "misspelt parameter",
        {"parameters": {"learningrate": 1e-4}},
        {},
        "BadParameter",
        'train has no parameter "learningrate"; did you mean "learningRate"?',
    ),
    (
        "unlike any parameter",
        {"parameters": {"zzz": 1}},
        {},
        "BadParameter",
        "It has: steps, learningRate, task.",
    ),
    (
        "parameter's type",
        {"parameters": {"steps": "many"}},
        {},
        "BadParameter",
        "spec.parameters.steps: 'many' is not of type 'integer'",
    ),
    (
        "parameter's range",
        {"parameters": {"steps": 0}},
        {},
        "BadParameter",
        "spec.parameters.steps: 0 is less than the minimum of 1",
    ),
    ("image", IMAGE, {}, "ImageNotAllowed", "allowedImages"),
    (
        "image of a neighbour",
        IMAGE,
        {"policy": {"allowedImages": ["ghcr.io/ac"]}},
        "ImageNotAllowed",
        "allowedImages",
    ),
    (
        "large parameters",
        {"parameters": {"prompts": ["x" * 1000] * 600}},
        {},
        "ParametersTooLarge",
        "posthuman upload",
    ),
    ("deep parameters", {"parameters": DEEP}, {}, "ParametersTooDeep", "64 levels"),
    ("own bucket, s3", uri("s3://results/env/jobs/x"), {}, "UriRefused", "posthuman upload"),
    ("own store", uri("http://10.0.0.5:7070/results/x"), {}, "UriRefused", '"http"'),
    (
        "own store, though http is allowed",
        uri("http://10.0.0.5:7070/results/x"),
        {"policy": {"allowedUriSchemes": ["http"], "allowedPrivateCIDRs": ["10.0.0.0/8"]}},
        "UriRefused",
        "own store",
    ),
    ("private", uri("https://10.1.2.3/x"), {}, "UriRefused", "private"),
    ("link-local", uri("https://169.254.169.254/latest"), {}, "UriRefused", "link-local"),
    ("loopback v6", uri("https://[::1]/x"), {}, "UriRefused", "private"),
    ("mapped v4", uri("https://[::ffff:10.0.0.1]/x"), {}, "UriRefused", "private"),
    ("localhost", uri("https://localhost/x"), {}, "UriRefused", "private"),
    ("no URI", uri("https://[::1"), {}, "UriRefused", "no URI"),
    ("file", uri("file:///etc/passwd"), {}, "UriRefused", "posthuman run"),
    ("ftp", uri("ftp://example.com/x"), {}, "UriRefused", '"ftp"'),
    (
        "upload of somebody else",
        {
            "inputs": [
                {"name": "text", "upload": "uploads/0xeve/x"},
                {**TEXT_INPUT, "name": "model"},
            ]
        },
        {},
        "UploadNotOwned",
        BOB.lower(),
    ),
    ("no chain", {"publish": {"name": "Mine", "description": "d" * 10}}, {}, "NoChain", "chain"),
]


@pytest.mark.parametrize(("what", "spec", "env", "reason", "says"), REFUSED)
def test_refused(
    what: str, spec: dict[str, Any], env: dict[str, Any], reason: str, says: str
) -> None:
    verdict = review(request(spec, env))
    assert isinstance(verdict, Refusal), what
    assert verdict.reason == reason
    assert says in verdict.message


def test_an_untrusted_image_never_sees_an_asset() -> None:
    spec = {**IMAGE, "inputs": [MODEL_INPUT]}
    verdict = review(request(spec, ACME, {"model": asset()}))
    assert isinstance(verdict, Refusal)
    assert verdict.reason == "AlgorithmNotTrusted"


def run_in_image(policy: dict[str, Any], **program: list[str]) -> Verdict:
    """A program in Acme's image, on Alice's model."""
    spec = {
        "algorithm": {"image": {**IMAGE["algorithm"]["image"], **program}},
        "inputs": [MODEL_INPUT],
    }
    return review(request(spec, {"policy": policy}, {"model": asset()}))


def test_a_trusted_program_may_and_another_one_in_the_same_image_may_not() -> None:
    program = ImageAlgorithm(
        reference="", digest="sha256:" + "d" * 64, entrypoint=("run",), args=("--fast",)
    )
    policy = {
        "allowedImages": ["ghcr.io/acme"],
        "trustedAlgorithms": [program_digest(program), program.digest],
    }
    assert run_in_image(policy, entrypoint=["run"], args=["--fast"]) is None
    for thief in (["cp", "-r", "/data/inputs", "/data/outputs"], ["run --fast"], ["run"]):
        verdict = run_in_image(policy, entrypoint=thief)
        assert isinstance(verdict, Refusal)
        assert verdict.reason == "AlgorithmNotTrusted"


def test_an_environment_that_is_being_deleted_takes_no_more_jobs() -> None:
    asked = request()
    going = msgspec.structs.replace(
        asked.environment.metadata, deletion_timestamp="2026-01-01T12:00:00Z"
    )
    environment = msgspec.structs.replace(asked.environment, metadata=going)
    verdict = review(msgspec.structs.replace(asked, environment=environment))
    assert isinstance(verdict, Refusal)
    assert verdict.reason == "EnvironmentGoing"


def test_files_only_on_a_laptop() -> None:
    assert review(request(uri("file:///data/text.jsonl"), allow_files=True)) is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [(None, "AssetNotFound"), (asset(ready=False), "AssetNotReady")],
)
def test_an_asset_that_may_still_come_is_waited_for(found: ModelAsset | None, reason: str) -> None:
    verdict = review(request({"inputs": [TEXT_INPUT, MODEL_INPUT]}, assets={"model": found}))
    assert isinstance(verdict, Waiting)
    assert verdict.reason == reason


DID = "did:op:" + "1" * 64
BY_DID = {"inputs": [TEXT_INPUT, {"name": "model", "kind": "model", "did": DID}]}


def test_a_did_that_nobody_here_has_is_waited_for_where_there_is_no_provider() -> None:
    verdict = review(request(BY_DID, {"chain": CHAIN}, {"model": None}))
    assert isinstance(verdict, Waiting)
    assert verdict.reason == "AssetNotFound"
    assert DID in verdict.message


def test_an_asset_named_by_its_did_is_looked_at_like_any_other() -> None:
    verdict = review(request(BY_DID, assets={"model": asset(ready=False)}))
    assert isinstance(verdict, Waiting)
    assert verdict.reason == "AssetNotReady"


def test_a_refusal_beats_a_reason_to_wait() -> None:
    spec = {"inputs": [TEXT_INPUT, MODEL_INPUT], "timeout": "25h"}
    verdict = review(request(spec, assets={"model": None}))
    assert isinstance(verdict, Refusal)


def test_an_environment_that_is_not_ready_takes_no_jobs() -> None:
    verdict = review(request(env={"ready": False}))
    assert isinstance(verdict, Waiting)
    assert verdict.reason == "EnvironmentNotReady"


def test_an_unknown_environment_is_told_with_the_known_ones() -> None:
    assert "a100, cpu" in unknown_environment("a10", ["a100", "cpu"]).message


def test_a_job_is_told_before_it_runs_that_its_model_cant_be_sold_so() -> None:
    publish = {"name": "Bob's GPT-2", "description": "500 more steps"}
    priced = {**publish, "pricing": {"kind": "FixedRate", "token": BOB, "rate": "0"}}
    assert review(request({"publish": publish}, {"chain": CHAIN})) is None
    verdict = review(request({"publish": priced}, {"chain": CHAIN}))
    assert isinstance(verdict, Refusal)
    assert verdict.reason == "InvalidPricing"
    assert "spec.publish.pricing.rate" in verdict.message
