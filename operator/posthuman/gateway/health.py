"""/healthz: the process answers; /readyz: Kubernetes and a store answer too; /metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from litestar import MediaType, Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from prometheus_client import CONTENT_TYPE_LATEST

from posthuman.api.environment import ComputeEnvironment
from posthuman.errors import NotFound, PosthumanError
from posthuman.gateway.service import Gateway, Injected

if TYPE_CHECKING:
    from posthuman.gateway.ports import FilesOf

CHECK_SECONDS = 5.0
UNREADY = ResponseSpec(
    str, generate_examples=False, description="Not ready, and why", media_type=MediaType.TEXT
)


@get("/healthz", operation_id="getHealth", tags=["service"], media_type="text/plain")
async def healthz() -> Response[str]:
    """Always, while the event loop turns."""
    return Response("ok\n", media_type="text/plain")


@get(
    "/readyz",
    operation_id="getReadiness",
    tags=["service"],
    media_type="text/plain",
    responses={503: UNREADY},
)
async def readyz(gateway: Injected) -> Response[str]:
    """503 with the reason, so that a Service sends its callers to another replica."""
    troubles = await unready(gateway)
    if troubles:
        return Response("\n".join(troubles) + "\n", status_code=503, media_type="text/plain")
    return Response("ok\n", media_type="text/plain")


@get("/metrics", operation_id="getMetrics", tags=["service"], media_type=CONTENT_TYPE_LATEST)
async def metrics(gateway: Injected) -> Response[bytes]:
    """Prometheus's."""
    return Response(gateway.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def unready(gateway: Gateway) -> list[str]:
    """Why no request should come here now."""
    if not await gateway.access.ready():
        return ["the Kubernetes API can't be reached, or its objects aren't all read yet"]
    environments = gateway.access.environments()
    faults = await asyncio.gather(*(_fault(gateway.files_of, one) for one in environments))
    troubles = [fault for fault in faults if fault]
    return troubles if environments and len(troubles) == len(environments) else []


async def _fault(files_of: FilesOf, environment: ComputeEnvironment) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await (await files_of(environment)).check()
    except NotFound:
        return ""  # an environment without its Secrets is that environment's trouble
    except (PosthumanError, TimeoutError) as error:
        name = environment.metadata.name
        return f"the store of {name} can't be reached: {error or 'it does not answer'}"
    return ""


health_router = Router(path="/", route_handlers=[healthz, readyz, metrics])
