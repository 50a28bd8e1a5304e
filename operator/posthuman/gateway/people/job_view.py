"""A job as this API shows it. The store's address is not in it, nor is anything of a Secret."""

from __future__ import annotations

from typing import Any

import msgspec

from posthuman.api.conditions import find_condition
from posthuman.api.job import ComputeJob, Phase


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Camel case on the wire; every field is always there."""


class ProgressView(Record, frozen=True, kw_only=True):
    """The algorithm's last word on itself."""

    percent: float
    step: int
    total_steps: int
    eta_seconds: float | None
    metrics: dict[str, float]
    updated_at: str


class AttemptView(Record, frozen=True, kw_only=True):
    """One run of the algorithm. Times are RFC 3339, empty where not reached."""

    number: int
    started_at: str
    ended_at: str
    exit_code: int | None
    reason: str
    message: str


class ResultsView(Record, frozen=True, kw_only=True):
    """What the job left, custody files counted too; /results lists what can be downloaded."""

    manifest_digest: str
    files: int
    bytes: int


class ReceiptView(Record, frozen=True, kw_only=True):
    """The signed receipt that /receipt gives."""

    digest: str
    signer: str


class JobAssetView(Record, frozen=True, kw_only=True):
    """The asset that the job's model became; `did` is empty until it is on chain."""

    id: str
    did: str


class JobView(Record, frozen=True, kw_only=True):
    """One job. `reason` and `message` say at any time why it isn't done, or how it ended."""

    id: str
    name: str
    namespace: str
    owner: str
    environment: str
    phase: Phase
    reason: str
    message: str
    stop_asked: bool
    created_at: str
    started_at: str
    finished_at: str
    progress: ProgressView | None
    attempts: list[AttemptView]
    gpu_seconds: float
    results: ResultsView | None
    receipt: ReceiptView | None
    asset: JobAssetView | None


class JobDetail(JobView, frozen=True, kw_only=True):
    """One job, with the spec that it was made of."""

    spec: dict[str, Any]


class JobPage(Record, frozen=True, kw_only=True):
    """Jobs, newest first. `continue` is empty on the last page."""

    items: list[JobView]
    continue_: str = msgspec.field(name="continue")


class FileView(Record, frozen=True, kw_only=True):
    """One file to download, below /results/<path>."""

    path: str
    size: int  # bytes
    sha256: str  # 64 hex digits


class FilePage(Record, frozen=True, kw_only=True):
    """A job's files by path. `continue` is empty on the last page."""

    items: list[FileView]
    manifest_digest: str
    continue_: str = msgspec.field(name="continue")


def job_id(job: ComputeJob) -> str:
    """How this API names a job; a namespace has no dot."""
    return f"{job.metadata.namespace}.{job.metadata.name}"


def view_of(job: ComputeJob) -> JobView:
    """Without the spec, as in lists."""
    return JobView(**_fields(job))


def detail_of(job: ComputeJob) -> JobDetail:
    """With it."""
    return JobDetail(**_fields(job), spec=msgspec.to_builtins(job.spec))


def _fields(job: ComputeJob) -> dict[str, Any]:
    meta, spec, status = job.metadata, job.spec, job.status
    why = find_condition(status.conditions, "Succeeded")
    started = [attempt.started_at for attempt in status.attempts if attempt.started_at]
    return {
        "id": job_id(job),
        "name": meta.name,
        "namespace": meta.namespace,
        "owner": spec.owner,
        "environment": spec.environment_ref.name,
        "phase": status.phase or Phase.PENDING,
        "reason": why.reason if why else "NotSeenYet",
        "message": why.message if why else "the operator has not looked at it yet",
        "stop_asked": spec.stop,
        "created_at": meta.creation_timestamp,
        "started_at": started[0] if started else "",
        "finished_at": status.finished_at,
        "gpu_seconds": status.gpu_seconds,
        **_outcome_fields(job),
    }


def _outcome_fields(job: ComputeJob) -> dict[str, Any]:
    status = job.status
    results, receipt, asset, progress = (
        status.results,
        status.receipt,
        status.asset,
        status.progress,
    )
    namespace = job.metadata.namespace
    return {
        "attempts": [
            AttemptView(
                number=one.number,
                started_at=one.started_at,
                ended_at=one.ended_at,
                exit_code=one.exit_code,
                reason=one.reason,
                message=one.message,
            )
            for one in status.attempts
        ],
        "progress": ProgressView(**msgspec.structs.asdict(progress)) if progress else None,
        "results": results
        and ResultsView(
            manifest_digest=results.manifest_digest, files=results.files, bytes=results.bytes
        ),
        "receipt": receipt and ReceiptView(digest=receipt.digest, signer=receipt.signer),
        "asset": asset and JobAssetView(id=f"{namespace}.{asset.name}", did=asset.did),
    }
