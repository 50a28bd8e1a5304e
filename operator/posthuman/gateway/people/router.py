"""All routes of this API, for one gateway."""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, Request, Response, Router, route
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from posthuman.gateway.people.files import (
    download_result,
    get_logs,
    get_manifest,
    get_receipt,
    list_results,
)
from posthuman.gateway.people.jobs import create_job, delete_job, get_job, list_jobs, stop_job
from posthuman.gateway.people.offers import (
    get_asset,
    get_environment,
    list_assets,
    list_environments,
)
from posthuman.gateway.people.service import People, Visitor
from posthuman.gateway.service import Gateway

PREFIX = "/api/v1"


def people_router(gateway: Gateway) -> Router:
    """To be mounted beside Ocean's routes, whose prefix it doesn't touch."""
    people = People(gateway)

    def the_people() -> People:
        return people

    async def visitor(request: Request[Any, Any, Any]) -> Visitor:
        return await people.visitor_of(request)

    return Router(
        path=PREFIX,
        route_handlers=[
            methods_of("/jobs", "GET", "POST"),
            methods_of("/jobs/{job:str}", "GET", "DELETE"),
            list_jobs,
            create_job,
            get_job,
            stop_job,
            delete_job,
            list_results,
            download_result,
            get_manifest,
            get_receipt,
            get_logs,
            list_environments,
            get_environment,
            list_assets,
            get_asset,
        ],
        dependencies={
            "people": Provide(the_people, sync_to_thread=False),
            "visitor": Provide(visitor),
        },
    )


def methods_of(path: str, *methods: str) -> HTTPRouteHandler:
    """OPTIONS for a path with several: Litestar's own names the first alone. Goes before them."""
    allowed = ", ".join((*methods, "OPTIONS"))

    @route(path, http_method=[HttpMethod.OPTIONS], status_code=204, include_in_schema=False)
    async def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return options
