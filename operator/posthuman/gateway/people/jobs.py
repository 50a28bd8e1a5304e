"""/api/v1/jobs: make, list, look at, stop and delete."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, QueryParameter

from posthuman.api.job import FINISHED, ComputeJob, Phase
from posthuman.api.meta import Key
from posthuman.errors import Conflict, NotFound
from posthuman.gateway.people import examples
from posthuman.gateway.people.documented import Continue, JobId, Limit, refusals
from posthuman.gateway.people.job_view import JobDetail, JobPage, detail_of, job_id, view_of
from posthuman.gateway.people.pages import DEFAULT_LIMIT, Place, page_of
from posthuman.gateway.people.service import Asking, Injected
from posthuman.gateway.people.submission import NewJob, job_of, same_job
from posthuman.gateway.problems import Problem

UNCHANGED = ResponseSpec(None, generate_examples=False, description="If-None-Match has its ETag")
STOP_TRIES = 3  # the operator may write the job between our look and our write


@get("/jobs", operation_id="listJobs", tags=["jobs"], responses=refusals(401, 403))
async def list_jobs(
    people: Injected,
    visitor: Asking,
    limit: Limit = DEFAULT_LIMIT,
    continue_: Continue = "",
    phase: Annotated[Phase | None, QueryParameter(description="Only those")] = None,
    environment: Annotated[str, QueryParameter(description="Name of one")] = "",
    owner: Annotated[str, QueryParameter(description="Address of one")] = "",
    namespace: Annotated[str, QueryParameter(description="Of a person's choice")] = "",
) -> JobPage:
    """The jobs that you may see, newest first."""
    found = [
        job
        for job in await people.access.jobs(visitor.caller, namespace)
        if phase in (None, job.status.phase or Phase.PENDING)
        and environment in ("", job.spec.environment_ref.name)
        and owner.lower() in ("", job.spec.owner.lower())
    ]
    items, more = page_of(found, _place, limit, continue_, newest_first=True)
    return JobPage(items=[view_of(job) for job in items], continue_=more)


@post(
    "/jobs",
    operation_id="createJob",
    tags=["jobs"],
    responses={**refusals(401, 403, 409, 413), 200: examples.SAME_JOB},
)
async def create_job(
    people: Injected,
    visitor: Asking,
    data: Annotated[NewJob, Body(examples=examples.NEW_JOBS)],
) -> Response[JobDetail]:
    """Make a job. The same again answers 200 with the job that is there: a lost answer costs no
    second run. Of a wallet's job the name gets a suffix, and the owner is the signer."""
    gateway = people.gateway
    namespace = data.namespace or gateway.settings.namespace
    await people.access.namespace_for(visitor.caller, "create", namespace)
    asked = job_of(data, visitor.caller, gateway.settings)
    try:
        return _answer(await gateway.access.create_job(asked), status=201)
    except Conflict as conflict:
        found = await gateway.access.job(asked.metadata.key)
        if found is None:
            raise
        if same_job(found, asked):
            return _answer(found, status=200)
        raise Problem(
            409,
            f"there is another job {job_id(asked)!r} already; choose another name or delete it",
            reason="JobExists",
        ) from conflict


@get(
    "/jobs/{job:str}",
    operation_id="getJob",
    tags=["jobs"],
    responses={**refusals(401, 403, 404), 304: UNCHANGED},
)
async def get_job(
    people: Injected, visitor: Asking, request: Request[Any, Any, Any], job: JobId
) -> Response[JobDetail]:
    """One job. With If-None-Match: 304 while nothing has changed."""
    found = await people.access.job(visitor.caller, "get", job)
    if request.headers.get("if-none-match") == _etag(found):
        return Response(None, status_code=304, headers={"ETag": _etag(found)})  # type: ignore[arg-type]
    return _answer(found, status=200)


@post(
    "/jobs/{job:str}/stop",
    operation_id="stopJob",
    tags=["jobs"],
    status_code=200,
    responses=refusals(401, 403, 404, 409),
)
async def stop_job(people: Injected, visitor: Asking, job: JobId) -> Response[JobDetail]:
    """End a job; its logs and what it wrote so far are kept. A finished one stays as it is."""
    key = (await people.access.job(visitor.caller, "patch", job)).metadata.key
    for _ in range(STOP_TRIES - 1):
        try:
            return _answer(await _stopped(people, key), status=200)
        except Conflict:
            continue
    return _answer(await _stopped(people, key), status=200)


@delete(
    "/jobs/{job:str}",
    operation_id="deleteJob",
    tags=["jobs"],
    responses=refusals(401, 403, 404),
)
async def delete_job(people: Injected, visitor: Asking, job: JobId) -> None:
    """Forget a job; one that runs is ended. Its files stay in the store, its asset on chain."""
    found = await people.access.job(visitor.caller, "delete", job)
    await people.gateway.access.delete_job(found.metadata.key)


async def _stopped(people: Injected, key: Key) -> ComputeJob:
    found = await people.gateway.access.job(key)
    if found is None:
        raise NotFound(f"job {key.namespace}.{key.name} is no more")
    if found.spec.stop or found.status.phase in FINISHED:
        return found
    return await people.gateway.access.patch_job(found, stop=True)


def _answer(job: ComputeJob, status: int) -> Response[JobDetail]:
    headers = {"ETag": _etag(job)}
    if status == 201:
        headers["Location"] = f"/api/v1/jobs/{job_id(job)}"
    return Response(detail_of(job), status_code=status, headers=headers)


def _etag(job: ComputeJob) -> str:
    return f'"{job.metadata.uid}-{job.metadata.resource_version}"'


def _place(job: ComputeJob) -> Place:
    return job.metadata.creation_timestamp, job_id(job)
