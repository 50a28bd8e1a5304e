"""GET /getResult: one file of a job's results, streamed from the store."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from urllib.parse import quote

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.errors import NotFound
from posthuman.gateway.manifests import OUTPUT, ResultFile
from posthuman.gateway.ocean.arguments import AnyRequest, Arguments
from posthuman.gateway.problems import Problem
from posthuman.gateway.ranges import part_of
from posthuman.gateway.service import Gateway
from posthuman.gateway.streamed import Begun, Streamed

REQUIRED = ("owner", "providerSignature", "nonce", "index", "jobId")
BINARY = "application/octet-stream"


def index_of(arguments: Arguments) -> int:
    """Raises Problem in upstream's words."""
    value = arguments["index"]
    try:
        index = int(str(value))
    except ValueError as error:
        raise Problem(400, f"Error getResult: {error}") from error
    if index < 0:
        raise Problem(404, f"Negative index {index}")
    return index


def environment_of(gateway: Gateway, job: ComputeJob) -> ComputeEnvironment | None:
    """Its environment, if it is still there."""
    name = job.spec.environment_ref.name
    return next((e for e in gateway.access.environments() if e.metadata.name == name), None)


async def results_of(gateway: Gateway, job: ComputeJob) -> tuple[ResultFile, ...]:
    """Empty where there are none (yet), or none any more."""
    environment = environment_of(gateway, job)
    if environment is None or job.status.results is None:
        return ()
    try:
        return await gateway.result_lists.of(job, environment)
    except NotFound:
        return ()  # their retention is over


async def download(gateway: Gateway, job: ComputeJob, index: int, request: AnyRequest) -> Streamed:
    """Raises Problem: 404 where there is no such result, 416 for a range that isn't in it."""
    environment, results = environment_of(gateway, job), await results_of(gateway, job)
    if not results or environment is None:
        raise Problem(404, f"No results for job {job.metadata.name}")
    if index >= len(results):
        raise Problem(404, f"No such index {index} in this compute job")
    found = results[index]
    etag = f'"{found.sha256}"'
    part = part_of(found.size, request.headers.get("range"), etag, request.headers.get("if-range"))
    files = await gateway.files_of(environment)
    stream = files.stream(found.key, part.start, part.end)
    headers = part.headers | headers_of(found) | {"ETag": etag}
    return Streamed(await _begun(stream, job), headers, part.status)


def headers_of(found: ResultFile) -> dict[str, str]:
    """Of the file, whichever part of it is sent."""
    return {
        "Content-Type": _media_type(found),
        "Content-Disposition": disposition(PurePosixPath(found.name).name),
        "Access-Control-Expose-Headers": "Content-Disposition",
        "X-Content-Type-Options": "nosniff",
    }


def _media_type(found: ResultFile) -> str:
    if found.type != OUTPUT:
        return "text/plain; charset=utf-8"
    return mimetypes.guess_type(found.name)[0] or BINARY


def disposition(name: str) -> str:
    """Upstream's form for plain names; RFC 6266's for all others."""
    if name and all(char.isascii() and (char.isalnum() or char in "._-") for char in name):
        return f"attachment;filename={name}"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"attachment;filename=\"{plain}\";filename*=UTF-8''{quote(name, safe='')}"


async def _begun(stream: AsyncIterator[bytes], job: ComputeJob) -> Begun:
    """The stream, once its first piece is there: an error before that is still an answer."""
    first = asyncio.ensure_future(anext(stream, b""))
    try:
        await first
    except NotFound as error:
        raise Problem(404, f"No results for job {job.metadata.name}") from error
    return Begun(first, stream)
