"""POST /compute: one purchase makes one job, however many replicas hear of it and however often.

The job's name is a hash of (chain, agreementId, number of runs before it), so creating it decides
who was first. Secrets are made before the job, under the nonce's record, and given to the job
after; a request that breaks off in between leaves nothing that stays, and its retry ends the same.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.api.meta import GROUP, LABEL_FOR_JOBS, Key, Meta
from posthuman.errors import Conflict
from posthuman.gateway.ocean.arguments import Arguments, chain_number
from posthuman.gateway.ocean.signing import Signer, bind
from posthuman.gateway.ocean.status import ANNOTATION_ALGORITHM, ANNOTATION_INPUTS
from posthuman.gateway.ocean.translate import Purchase, Translation, stage_of, translate
from posthuman.gateway.problems import Problem
from posthuman.gateway.service import Gateway
from posthuman.gateway.tending import ANNOTATION_NONCE, secrets_of

REQUIRED = ("workflow", "agreementId", "owner", "providerSignature", "environment", "nonce")
NO_WORKFLOW = "`workflow` is required in the payload and must include workflow stages"
IN_USE = "`agreementId` already in use for other job."
NO_ENVIRONMENT = "Environment invalid or does not exist"

ANNOTATION_REQUEST = f"{GROUP}/request"  # digest of the request that made the job
ANNOTATION_PROVIDER = f"{GROUP}/provider"  # address that signed it
MAX_RUNS = 10_000  # of one order


def workflow_of(arguments: Arguments) -> dict[str, Any]:
    """Raises Problem."""
    workflow = arguments.get("workflow")
    if not workflow or not isinstance(workflow, dict):
        raise Problem(400, NO_WORKFLOW)
    return workflow


async def start(
    gateway: Gateway, arguments: Arguments, signer: Signer, environment: ComputeEnvironment
) -> ComputeJob:
    """The job, made now or by an earlier try of the same request. Raises Problem, UserError."""
    stage = stage_of(workflow_of(arguments))
    purchase = _purchase(arguments, signer, environment)
    models = _models(gateway, environment)
    made = translate(stage, purchase, environment, gateway.clock.now(), models)
    await bind(gateway, signer, changes=True)
    known = [job for job in gateway.access.jobs() if _is_run(job, gateway, purchase)]
    for job in known:
        if await _settled(gateway, await _fresh(gateway, job), signer):
            return job
    runs = sum(job.status.phase in FINISHED for job in known)
    while runs < MAX_RUNS:
        key = Key(gateway.settings.namespace, job_name(purchase, runs))
        found = await _existing(gateway, key) or await _make(gateway, key, made, purchase, signer)
        if found is None:
            continue  # it was made or deleted at this very moment: look again
        if await _settled(gateway, found, signer):
            return found
        runs += 1
    raise Problem(400, f"this order was used for {MAX_RUNS} runs; buy a new one")


async def _settled(gateway: Gateway, job: ComputeJob | None, signer: Signer) -> bool:
    """Whether it is this request's own. Raises Problem where it is another's that isn't over."""
    if job is None:
        return False
    if job.metadata.annotations.get(ANNOTATION_REQUEST) == signer.request.digest:
        await _own_secrets(gateway, job)
        return True
    if job.status.phase not in FINISHED:
        raise Problem(400, IN_USE)
    return False


def _models(gateway: Gateway, environment: ComputeEnvironment) -> frozenset[str]:
    name = environment.metadata.name
    assets = [a for a in gateway.access.assets() if a.spec.environment_ref.name == name]
    return frozenset(asset.status.did for asset in assets if asset.status.did)


def _purchase(arguments: Arguments, signer: Signer, environment: ComputeEnvironment) -> Purchase:
    chain = environment.spec.chain
    agreement_id, owner = arguments["agreementId"], arguments["owner"]
    if not isinstance(agreement_id, str) or not agreement_id or not isinstance(owner, str):
        raise Problem(400, "`agreementId` and `owner` must be texts")
    return Purchase(
        agreement_id=agreement_id,
        owner=owner,
        chain_id=chain_number(arguments) or (chain.chain_id if chain else 0),
        valid_until=_valid_until(arguments.get("validUntil")),
        secret_name=f"ocean-{signer.request.digest[:32]}",
    )


def _valid_until(value: object) -> int:
    """Epoch seconds; 0 where it isn't said."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 15:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise Problem(400, "`validUntil` must be a time in epoch seconds")
    return int(value)


def job_name(purchase: Purchase, runs: int) -> str:
    """32 hex digits, as upstream's job ids."""
    parts = f"{purchase.chain_id}\n{purchase.agreement_id.lower()}\n{runs}"
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def _is_run(job: ComputeJob, gateway: Gateway, purchase: Purchase) -> bool:
    order = job.spec.order
    return (
        order is not None
        and job.metadata.namespace == gateway.settings.namespace
        and order.chain_id == purchase.chain_id
        and order.agreement_id.lower() == purchase.agreement_id.lower()
    )


async def _existing(gateway: Gateway, key: Key) -> ComputeJob | None:
    """The cache may lag behind the job's making, so its absence is confirmed."""
    seen = gateway.access.seen_job(key)
    return await _fresh(gateway, seen) if seen else await gateway.access.job(key)


async def _fresh(gateway: Gateway, job: ComputeJob) -> ComputeJob | None:
    """The cache may lag behind the job's end, so what it shows as unfinished is asked for."""
    if job.status.phase in FINISHED:
        return job
    return await gateway.access.job(job.metadata.key)


async def _make(
    gateway: Gateway, key: Key, made: Translation, purchase: Purchase, signer: Signer
) -> ComputeJob | None:
    """None where somebody made it first."""
    nonce = signer.request.nonce_digest
    if made.secret:
        secret = Key(key.namespace, purchase.secret_name)
        its_job_alone = {LABEL_FOR_JOBS: key.name}
        await gateway.access.create_secret(secret, made.secret, its_job_alone, nonce)
    annotations = {
        ANNOTATION_ALGORITHM: made.algorithm_id,
        ANNOTATION_INPUTS: msgspec.json.encode(made.input_ids).decode(),
        ANNOTATION_NONCE: nonce,
        ANNOTATION_REQUEST: signer.request.digest,
        ANNOTATION_PROVIDER: signer.address,
    }
    meta = Meta(name=key.name, namespace=key.namespace, annotations=annotations)
    try:
        return await gateway.access.create_job(ComputeJob(metadata=meta, spec=made.spec))
    except Conflict:
        return None


async def _own_secrets(gateway: Gateway, job: ComputeJob) -> None:
    for key in secrets_of(job):
        await gateway.access.own_secret(key, job)
