"""/api/v1/jobs/{id}/results, logs, receipt, manifest: what a job left, in pieces and ranges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import PathParameter, QueryParameter

from posthuman.api.job import ComputeJob
from posthuman.errors import NotFound
from posthuman.gateway.people import results
from posthuman.gateway.people.documented import Continue, JobId, Limit, raw_answer, refusals
from posthuman.gateway.people.job_view import FilePage
from posthuman.gateway.people.pages import DEFAULT_LIMIT, page_of
from posthuman.gateway.people.results import ALGORITHM_LOG, Opened
from posthuman.gateway.people.service import Asking, Injected
from posthuman.gateway.ranges import part_of
from posthuman.gateway.streamed import Begun, Streamed

FIRST_PIECE_SECONDS = 5.0  # a live log that is silent for so long is answered, and waited for
BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}

AnyRequest = Request[Any, Any, Any]
FilePath = Annotated[str, PathParameter(description="As /results lists it, slashes included")]


@get(
    "/jobs/{job:str}/results",
    operation_id="listResults",
    tags=["results"],
    responses=refusals(401, 403, 404),
)
async def list_results(
    people: Injected,
    visitor: Asking,
    job: JobId,
    limit: Limit = DEFAULT_LIMIT,
    continue_: Continue = "",
) -> FilePage:
    """The files that can be downloaded, by path. A model's weights are not among them."""
    found = await people.access.job(visitor.caller, "get", job)
    files = await results.files_of(people.gateway, found)
    items, more = page_of(files, lambda one: (one.path, ""), limit, continue_)
    digest = results.results_of(found).manifest_digest
    return FilePage(items=items, manifest_digest=digest, continue_=more)


@get(
    "/jobs/{job:str}/results/{path:path}",
    operation_id="downloadResult",
    tags=["results"],
    media_type=BINARY,
    responses={
        **refusals(401, 403, 404, 416),
        200: raw_answer("The file"),
        206: raw_answer("The part of it that Range asks for"),
    },
)
async def download_result(
    people: Injected, visitor: Asking, request: AnyRequest, job: JobId, path: FilePath
) -> Streamed:
    """One file. It resumes by Range; ETag is its sha256."""
    found = await people.access.job(visitor.caller, "get", job)
    name = path.removeprefix("/")
    opened = await results.opened(people.gateway, found, name)
    return await _answer(request, opened, BINARY, {"Content-Disposition": results.attachment(name)})


@get(
    "/jobs/{job:str}/manifest",
    operation_id="getManifest",
    tags=["results"],
    responses={
        **refusals(401, 403, 404, 416),
        200: raw_answer("manifest.json", "application/json"),
    },
)
async def get_manifest(
    people: Injected, visitor: Asking, request: AnyRequest, job: JobId
) -> Streamed:
    """Every file's sha256, size and class, as the job's end wrote it; its own digest is
    `manifestDigest`, which the receipt signs."""
    found = await people.access.job(visitor.caller, "get", job)
    opened = await results.opened_manifest(people.gateway, found)
    return await _answer(request, opened, "application/json", {})


@get(
    "/jobs/{job:str}/receipt",
    operation_id="getReceipt",
    tags=["results"],
    responses={**refusals(401, 403, 404, 416), 200: raw_answer("receipt.json", "application/json")},
)
async def get_receipt(
    people: Injected, visitor: Asking, request: AnyRequest, job: JobId
) -> Streamed:
    """The environment's signature over what ran and what came out; `posthuman verify` checks it."""
    found = await people.access.job(visitor.caller, "get", job)
    opened = await results.opened_receipt(people.gateway, found)
    return await _answer(request, opened, "application/json", {})


@get(
    "/jobs/{job:str}/logs",
    operation_id="getLogs",
    tags=["results"],
    media_type="text/plain",
    responses={**refusals(401, 403, 404, 416), 200: raw_answer("The log", "text/plain")},
)
async def get_logs(
    people: Injected,
    visitor: Asking,
    request: AnyRequest,
    job: JobId,
    follow: Annotated[bool, QueryParameter(description="Go on while the algorithm writes")] = False,
) -> Streamed:
    """What the algorithm has written: from the running pod, and once it ended from the store."""
    found = await people.access.job(visitor.caller, "get", job)
    if found.status.results is not None:
        opened = await results.opened(people.gateway, found, ALGORITHM_LOG)
        return await _answer(request, opened, TEXT, {})
    live = people.gateway.access.live_log(found, follow)
    return Streamed(await _begun(live, found), {**SAFE, "Content-Type": TEXT})


async def _answer(
    request: AnyRequest, opened: Opened, media_type: str, headers: dict[str, str]
) -> Streamed:
    etag = f'"{opened.digest}"' if opened.digest else ""
    asked, if_range = request.headers.get("range"), request.headers.get("if-range")
    part = part_of(opened.size, asked, etag, if_range)
    tagged = {"ETag": etag} if etag else {}
    all_headers = {**SAFE, **headers, **tagged, **part.headers, "Content-Type": media_type}
    stream = opened.files.stream(opened.key, part.start, part.end)
    first = _first_of(stream)
    await first  # what fails by now is still answered in words
    return Streamed(Begun(first, stream), all_headers, part.status)


async def _begun(live: AsyncIterator[bytes], job: ComputeJob) -> Begun:
    """The log, once it is known to be there."""
    first = _first_of(live)
    await asyncio.wait({first}, timeout=FIRST_PIECE_SECONDS)
    if first.done() and isinstance(first.exception(), NotFound):
        raise NotFound(
            f"the algorithm of job {job.metadata.name!r} doesn't run now (the job is "
            f"{job.status.phase or 'Pending'}), and its log isn't stored yet; ask again later",
            "NoLogYet",
        ) from first.exception()
    return Begun(first, live)


def _first_of(stream: AsyncIterator[bytes]) -> asyncio.Future[bytes]:
    return asyncio.ensure_future(anext(stream, b""))
