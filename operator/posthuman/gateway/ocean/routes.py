"""Ocean's routes: each takes its arguments, asks who signed them, answers in upstream's shape."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from litestar import Response, Router, delete, get, post, put

import posthuman
from posthuman.api.job import FINISHED, ComputeJob
from posthuman.gateway.ocean import finding, results, starting, stopping
from posthuman.gateway.ocean.arguments import (
    AnyRequest,
    Arguments,
    arguments_of,
    chain_number,
    require,
    text,
)
from posthuman.gateway.ocean.environments import (
    allows_chain,
    environment_object,
    find_environment,
)
from posthuman.gateway.ocean.signing import Signer, bind, signer_of
from posthuman.gateway.ocean.status import brief_of
from posthuman.gateway.ocean.story import WAITING, status_object
from posthuman.gateway.problems import OCEAN_PREFIX, Problem, too_many
from posthuman.gateway.service import Gateway, Injected
from posthuman.gateway.streamed import Streamed

SOFTWARE = "Operator service"
SIGNED = ("owner", "providerSignature", "nonce")
OWNER_CHARS = 64  # more than an address has
STATUSES_AT_ONCE = 16  # manifests read from the store together

Answer = Response[Any]


@get("/")
async def root(gateway: Injected) -> Answer:
    """Who answers here."""
    environments = gateway.access.environments()
    offers = [environment_object(one, gateway.clock.now()) for one in environments[:1]]
    first = offers[0] if offers else {}
    return Response(
        {
            "software": SOFTWARE,
            "version": posthuman.__version__,
            "address": gateway.settings.address or first.get("consumerAddress"),
            "algoTimeLimit": first.get("maxJobDuration"),
            "storageExpiry": first.get("storageExpiry"),
        }
    )


@post("/compute", status_code=200)
async def start_compute(gateway: Injected, request: AnyRequest) -> Answer:
    """A purchase: one job, told at once."""
    arguments = await arguments_of(request)
    require(starting.REQUIRED, arguments, "POST:/compute")
    starting.workflow_of(arguments)
    environment = find_environment(
        gateway.access.environments(), arguments["environment"], chain_number(arguments)
    )
    if environment is None:
        raise Problem(400, starting.NO_ENVIRONMENT)
    signer = signer_of(request, arguments, [environment], with_job=False)
    _hold_back(gateway, arguments, signer)
    job = await starting.start(gateway, arguments, signer, environment)
    return Response(await _statuses(gateway, [job]))


@get("/compute")
async def compute_status(gateway: Injected, request: AnyRequest) -> Answer:
    """Jobs, by any of agreementId, jobId and owner."""
    arguments = await arguments_of(request)
    wanted = finding.wanted_of(arguments)
    signer = await _signer(gateway, request, arguments, changes=False)
    return Response(await _statuses(gateway, finding.find_jobs(gateway, wanted, signer)))


@put("/compute")
async def stop_compute(gateway: Injected, request: AnyRequest) -> Answer:
    """Stop what fits."""
    arguments = await arguments_of(request)
    return Response(await _statuses(gateway, await _stop(gateway, request, arguments, "PUT")))


@delete("/compute", status_code=200)
async def delete_compute(gateway: Injected, request: AnyRequest) -> Answer:
    """Stop what fits, and mark it as removed. Upstream answers an empty text."""
    arguments = await arguments_of(request)
    await _stop(gateway, request, arguments, "DELETE", remove=True)
    return Response(b'""', media_type="application/json")


@get("/runningjobs")
async def running_jobs(gateway: Injected) -> Answer:
    """Jobs that aren't finished, for anybody."""
    jobs = [job for job in gateway.access.jobs() if job.spec.order]
    return Response([brief_of(job) for job in jobs if job.status.phase not in FINISHED])


@get("/getResult")
async def get_result(gateway: Injected, request: AnyRequest) -> Streamed:
    """One file of the results."""
    arguments = await arguments_of(request)
    require(results.REQUIRED, arguments, "GET:/getResult")
    owner, job_id = text(arguments, "owner"), text(arguments, "jobId")
    index = results.index_of(arguments)
    signer = await _signer(gateway, request, arguments, changes=False)
    wanted = finding.Wanted(job_id=job_id, owner=owner)
    jobs = finding.find_jobs(gateway, wanted, signer) if owner and job_id else []
    if not jobs:
        raise Problem(404, f"Owner {owner} mismatch for job {job_id}")
    return await results.download(gateway, jobs[0], index, request)


@get("/environments")
async def environments(gateway: Injected, request: AnyRequest) -> Answer:
    """Where jobs can run, of one chain."""
    arguments = await arguments_of(request)
    if not arguments:
        raise Problem(400, "You have to specify chainId")
    chain_id, now = chain_number(arguments), gateway.clock.now()
    found = [e for e in gateway.access.environments() if allows_chain(e, chain_id)]
    return Response([environment_object(one, now) for one in found])


@post("/pgsqlinit", status_code=200)
async def pgsql_init(request: AnyRequest) -> Response[str]:
    """There is no database to set up; old deployments call it once."""
    if not request.headers.get("Admin"):
        raise Problem(400, "Admin header is empty.")
    return Response("", media_type="text/plain")


async def _signer(
    gateway: Gateway, request: AnyRequest, arguments: Arguments, *, changes: bool
) -> Signer:
    signer = signer_of(request, arguments, gateway.access.environments())
    _hold_back(gateway, arguments, signer)
    await bind(gateway, signer, changes=changes)
    return signer


def _hold_back(gateway: Gateway, arguments: Arguments, signer: Signer) -> None:
    """One owner's flood takes nothing from the provider's others. Raises Problem."""
    owner = str(arguments.get("owner") or signer.address)[:OWNER_CHARS].lower()
    if wait := gateway.owners.take(owner):
        raise too_many("this owner's jobs are asked for too often", wait)


async def _stop(
    gateway: Gateway, request: AnyRequest, arguments: Arguments, method: str, remove: bool = False
) -> list[ComputeJob]:
    require(SIGNED, arguments, f"{method}:/compute")
    wanted = finding.wanted_of(arguments)
    signer = await _signer(gateway, request, arguments, changes=True)
    found = finding.find_jobs(gateway, wanted, signer)
    named = bool(wanted.job_id or wanted.agreement_id)
    stopped = [
        await stopping.stop(gateway, job, remove=remove)
        if named or job.status.phase not in FINISHED
        else job  # of all that an owner ever had, only what isn't over is written
        for job in found
    ]
    return [job for job in stopped if job is not None]


async def _statuses(gateway: Gateway, jobs: Sequence[ComputeJob]) -> list[dict[str, Any]]:
    waiting = any(job.status.phase in WAITING for job in jobs)
    others = gateway.access.jobs() if waiting else ()
    at_once = asyncio.Semaphore(STATUSES_AT_ONCE)

    async def one(job: ComputeJob) -> dict[str, Any]:
        async with at_once:
            found = await results.results_of(gateway, job)
        return status_object(job, found, others)

    return list(await asyncio.gather(*(one(job) for job in jobs)))


HANDLERS = [
    start_compute,
    compute_status,
    stop_compute,
    delete_compute,
    running_jobs,
    get_result,
    environments,
    pgsql_init,
]
ocean_router = Router(
    path="/",
    route_handlers=[root, Router(path=OCEAN_PREFIX, route_handlers=HANDLERS)],
    include_in_schema=False,
)
