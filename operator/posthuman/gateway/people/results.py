"""A job's files: which there are, and each one's bytes. Only what the manifest calls a result can
be named here; custody files and everything else in the store have no path."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from jobkit.manifest import MANIFEST_NAME
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Results
from posthuman.errors import NotFound
from posthuman.gateway.manifests import ResultFile
from posthuman.gateway.people.job_view import FileView, job_id
from posthuman.gateway.ports import Files
from posthuman.gateway.service import Gateway
from posthuman.receipts.issue import receipt_key

ALGORITHM_LOG = "logs/algorithm.log"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a store that somebody may read."""

    files: Files
    key: str
    size: int
    digest: str = ""  # of its content, 64 hex digits


def results_of(job: ComputeJob) -> Results:
    """Raises NotFound before the job has any."""
    if job.status.results is None:
        raise NotFound(
            f"job {job_id(job)!r} has no results yet; it is {job.status.phase or 'Pending'}. They "
            "come when its phase is past Exporting",
            "NoResultsYet",
        )
    return job.status.results


def environment_of(gateway: Gateway, job: ComputeJob) -> ComputeEnvironment:
    """Raises NotFound."""
    name = job.spec.environment_ref.name
    for environment in gateway.access.environments():
        if environment.metadata.name == name:
            return environment
    raise NotFound(f"environment {name!r} of job {job_id(job)!r} is no more", "EnvironmentGone")


async def files_of(gateway: Gateway, job: ComputeJob) -> list[FileView]:
    """By path. Raises NotFound, TransientError."""
    results = results_of(job)
    found = await gateway.result_lists.of(job, environment_of(gateway, job))
    views = [
        FileView(path=path_of(one, results), size=one.size, sha256=one.sha256) for one in found
    ]
    return sorted(views, key=lambda one: one.path)


def path_of(file: ResultFile, results: Results) -> str:
    """As the manifest has it."""
    return file.key.removeprefix(f"{results.prefix.rstrip('/')}/")


async def opened(gateway: Gateway, job: ComputeJob, path: str) -> Opened:
    """A result file. Raises NotFound, TransientError."""
    results, environment = results_of(job), environment_of(gateway, job)
    for one in await gateway.result_lists.of(job, environment):
        if path_of(one, results) == path:
            files = await gateway.files_of(environment)
            return Opened(files=files, key=one.key, size=one.size, digest=one.sha256)
    raise NotFound(
        f"job {job_id(job)!r} has no result {path[:300]!r} to download; /results lists them "
        "(a model's weights stay in the environment)",
        "NoSuchResult",
    )


async def opened_receipt(gateway: Gateway, job: ComputeJob) -> Opened:
    """The signed receipt. Raises NotFound, TransientError."""
    results = results_of(job)
    if job.status.receipt is None:
        raise NotFound(
            f"job {job_id(job)!r} has no receipt; a finished job's is signed within moments, where "
            "its environment has a chain",
            "NoReceipt",
        )
    return await _by_key(gateway, job, receipt_key(results.prefix))


async def opened_manifest(gateway: Gateway, job: ComputeJob) -> Opened:
    """manifest.json itself, which names every file's digest. Raises NotFound, TransientError."""
    results = results_of(job)
    key = f"{results.prefix.rstrip('/')}/{MANIFEST_NAME}"
    return await _by_key(gateway, job, key)


async def _by_key(gateway: Gateway, job: ComputeJob, key: str) -> Opened:
    files = await gateway.files_of(environment_of(gateway, job))
    return Opened(files=files, key=key, size=await files.size(key))


def attachment(path: str) -> str:
    """Content-Disposition for a file's last name (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}"
