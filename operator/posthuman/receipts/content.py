"""What a receipt says: a job, its manifest, what went in and what came out. Pure.

Everything in it is fixed once a job is finished, so that making it again gives the same bytes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import rfc8785

from jobkit.manifest import Manifest, Record
from posthuman.api.job import ComputeJob, Results
from posthuman.errors import PosthumanError, UserError

VERSION = 1


class Mismatch(PosthumanError):
    """Something that a receipt, the chain or the store says doesn't fit the rest."""

    reason = "Mismatch"


class Times(Record, frozen=True, kw_only=True):
    """RFC 3339, UTC; empty where the job never came so far."""

    created_at: str
    started_at: str = ""  # of the first attempt
    ended_at: str = ""  # of the last
    exported_at: str = ""
    finished_at: str = ""


class Receipt(Record, frozen=True, kw_only=True):
    """Digests are `sha256:` and 64 hex digits, of RFC 8785 JSON."""

    version: int = VERSION
    chain_id: int
    job: dict[str, str]  # namespace, name, uid, owner, environment
    outcome: str  # of the algorithm
    prefix: str  # of the store, where manifest.json lies
    manifest: str
    inputs: tuple[dict[str, str], ...]  # name, kind, sha256; manifestDigest and DID of an asset
    asset: str  # DID of what was published, else empty
    algorithm: dict[str, str]  # name, version, digest
    parameters: str
    outputs: str  # of the manifest's list of files, with their sha256
    times: Times
    gpu_seconds: float


def receipt_of(job: ComputeJob, results: Results, manifest: Manifest, chain_id: int) -> Receipt:
    """Of a finished job. Raises UserError where its manifest isn't of what was accepted."""
    _check_inputs(job, manifest)
    asset = job.status.asset
    return Receipt(
        chain_id=chain_id,
        job=identity_of(job),
        outcome=manifest.outcome,
        prefix=results.prefix,
        manifest=results.manifest_digest,
        inputs=manifest.inputs,
        asset=asset.did if asset else "",
        algorithm=manifest.algorithm,
        parameters=digest_of_json(manifest.parameters),
        outputs=digest_of_json(manifest.files),
        times=_times(job, manifest),
        gpu_seconds=manifest.gpu_seconds,
    )


def identity_of(job: ComputeJob) -> dict[str, str]:
    """Which job it was, as manifests and receipts name it."""
    return {
        "namespace": job.metadata.namespace,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "owner": job.spec.owner,
        "environment": job.spec.environment_ref.name,
    }


def compare(receipt: Receipt, manifest: Manifest) -> None:
    """What a manifest must say for this receipt to be of it. Raises Mismatch."""
    pairs = {
        "job": (receipt.job, manifest.job),
        "outcome": (receipt.outcome, manifest.outcome),
        "inputs": (receipt.inputs, manifest.inputs),
        "algorithm": (receipt.algorithm, manifest.algorithm),
        "parameters": (receipt.parameters, digest_of_json(manifest.parameters)),
        "outputs": (receipt.outputs, digest_of_json(manifest.files)),
        "times.exportedAt": (receipt.times.exported_at, manifest.created_at),
        "gpuSeconds": (receipt.gpu_seconds, manifest.gpu_seconds),
    }
    for part, (said, found) in pairs.items():
        if said != found:
            raise Mismatch(f"{part}: the receipt says other than the manifest {receipt.manifest}")


def canonical_bytes(value: object) -> bytes:
    """RFC 8785 JSON. Raises ValueError for a number that it can't write."""
    return rfc8785.dumps(msgspec.to_builtins(value))


def digest_of_json(value: Any) -> str:
    """`sha256:` and 64 hex digits, of canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()


def _check_inputs(job: ComputeJob, manifest: Manifest) -> None:
    """An asset in the manifest is the one that the operator's own record says was accepted."""
    accepted = {found.name: (found.did, found.manifest_digest) for found in job.status.inputs}
    for brought in manifest.inputs:
        name = brought.get("name", "")
        said = (brought.get("did", ""), brought.get("manifestDigest", ""))
        if said[0] and accepted.get(name) != said:
            raise UserError(
                f'the manifest\'s input "{name}" is {said[0]}, which is not what was accepted: '
                "somebody changed the job's files; run the job anew",
                "ReceiptRefused",
            )


def _times(job: ComputeJob, manifest: Manifest) -> Times:
    attempts = job.status.attempts
    return Times(
        created_at=job.metadata.creation_timestamp,
        started_at=next((found.started_at for found in attempts if found.started_at), ""),
        ended_at=attempts[-1].ended_at if attempts else "",
        exported_at=manifest.created_at,
        finished_at=job.status.finished_at,
    )
