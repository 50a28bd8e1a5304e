"""Changes to objects that exist, and what must be said of them: what is fixed once it is made."""

from __future__ import annotations

from tests.api.bodies import ABSENT, ALICE, BOB, DID, asset, chain, environment, job, text_input
from tests.api.cases import Case

IMMUTABLE_JOB = "a job can't be changed once it is made, but for suspend, stop"
IMMUTABLE_ASSET = "an asset can't be changed once it is made, but for its metadata"
IMMUTABLE = "this can't be changed once the environment is made"
NO_CHAIN_CHANGE = "a chain can't be added or removed once the environment is made"


def _frozen_job(field: str, value: object, old: object = ABSENT) -> Case:
    return Case(
        f"a job's {field} changed",
        job(**{field: value}),
        ((f"spec.{field}", IMMUTABLE_JOB),),
        old=job(**({} if old is ABSENT else {field: old})),
    )


def _frozen_asset(field: str, value: object, old: object = ABSENT) -> Case:
    return Case(
        f"an asset's {field} changed",
        asset(**{field: value}),
        ((f"spec.{field}", IMMUTABLE_ASSET),),
        old=asset(**({} if old is ABSENT else {field: old})),
    )


def _frozen_chain(field: str, value: object) -> Case:
    return Case(
        f"an environment's {field} changed",
        environment(chain=chain(**{field: value})),
        ((f"spec.chain.{field}", IMMUTABLE),),
        old=environment(chain=chain()),
    )


REMOTE = {"urlSecret": {"name": "signer"}, "address": ALICE}
REMOTE_CHAIN = {
    "chainId": 8996,
    "rpcUrlSecret": {"name": "chain", "key": "url"},
    "remoteSigner": REMOTE,
}
PUBLISH = {"name": "GPT-2", "description": "500 more steps"}
BAD_CHANGES = [
    _frozen_job("environmentRef", {"name": "other"}),
    _frozen_job("owner", ALICE),
    _frozen_job("algorithm", {"builtin": {"name": "evaluate"}}),
    _frozen_job("inputs", [text_input()]),
    _frozen_job("inputs", [text_input(uri="https://b")], old=[text_input(uri="https://a")]),
    _frozen_job("parameters", {"steps": 1}),
    _frozen_job("parameters", {"a": {"b": [1]}}, old={"a": {"b": [2]}}),
    _frozen_job("nodes", 2),
    _frozen_job("gpusPerNode", 1),
    _frozen_job("processesPerNode", 2),
    _frozen_job("resources", {"cpu": "1"}),
    _frozen_job("timeout", "1h"),
    _frozen_job("timeout", "1h", old="2h"),
    _frozen_job("retries", 1),
    _frozen_job("publish", PUBLISH),
    _frozen_job("publish", PUBLISH | {"reward": "2"}, old=PUBLISH),
    Case(
        "a publish taken away",
        job(),
        (("spec.publish", IMMUTABLE_JOB),),
        old=job(publish=PUBLISH),
    ),
    _frozen_job("order", {"agreementId": "1"}),
    _frozen_job("order", {"agreementId": "1"}, old={"agreementId": "2"}),
    _frozen_job("publish", PUBLISH | {"services": [{"kind": "train"}]}, old=PUBLISH),
    Case(
        "a stop taken back",
        job(stop=False),
        (("spec.stop", "a stopped job can't be started again"),),
        old=job(stop=True),
    ),
    _frozen_asset("environmentRef", {"name": "other"}),
    _frozen_asset("owner", BOB),
    _frozen_asset("source", {"prefix": "uploads/x", "manifestDigest": "sha256:" + "c" * 64}),
    _frozen_asset("parents", [DID]),
    _frozen_asset("publicationId", "p-1"),
    _frozen_asset("reward", {"to": BOB, "amount": "1"}, old={"to": ALICE, "amount": "1"}),
    _frozen_asset("jobUid", "u-1"),
    _frozen_asset("services", [{"kind": "train"}]),
    _frozen_asset("pricing", {"kind": "Free"}),
    Case(
        "another work namespace",
        environment(workNamespace="other"),
        (("spec.workNamespace", IMMUTABLE),),
        old=environment(),
    ),
    Case(
        "a chain added",
        environment(chain=chain()),
        (("spec.chain", NO_CHAIN_CHANGE),),
        old=environment(),
    ),
    Case(
        "a chain removed",
        environment(),
        (("spec.chain", NO_CHAIN_CHANGE),),
        old=environment(chain=chain()),
    ),
    _frozen_chain("chainId", 1),
    _frozen_chain("signerSecret", {"name": "signer", "key": "other"}),
    _frozen_chain("contracts", {"erc721Factory": ALICE}),
    Case(
        "another account at a remote signer",
        environment(chain=REMOTE_CHAIN | {"remoteSigner": REMOTE | {"address": BOB}}),
        (("spec.chain.remoteSigner", IMMUTABLE),),
        old=environment(chain=REMOTE_CHAIN),
    ),
    Case(
        "a key that moves to a remote signer",
        environment(chain=REMOTE_CHAIN),
        (("spec.chain.signerSecret", IMMUTABLE), ("spec.chain.remoteSigner", IMMUTABLE)),
        old=environment(chain=chain()),
    ),
]
