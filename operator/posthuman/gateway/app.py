"""The application: every router, and what holds for all of them. Knows no adapters.

To add routes: make a `litestar.Router` in a package of your own and name it in `ROUTERS`. A handler
asks for `gateway: Injected` (service.py); it raises Problem, or lets the errors of posthuman.errors
through, and problems.py answers.
"""

from __future__ import annotations

from litestar import Litestar, Router
from litestar.di import Provide

from posthuman.errors import PosthumanError
from posthuman.gateway.access_log import AccessLog
from posthuman.gateway.depth import refuse_deep_body
from posthuman.gateway.health import health_router
from posthuman.gateway.ocean.routes import ocean_router
from posthuman.gateway.people.openapi import docs, openapi_config, openapi_json
from posthuman.gateway.people.router import people_router
from posthuman.gateway.problems import answer_problem
from posthuman.gateway.service import Gateway
from posthuman.gateway.slow_clients import SlowClients
from posthuman.gateway.tending import tending

ROUTERS: tuple[Router, ...] = (health_router, ocean_router)


def create_app(gateway: Gateway, *, debug: bool = False) -> Litestar:
    """One replica's application, ready for an ASGI server."""

    def the_gateway() -> Gateway:
        return gateway

    limits, access_log = gateway.settings.limits, AccessLog(gateway.metrics)
    return Litestar(
        route_handlers=[*ROUTERS, people_router(gateway), openapi_json, docs],
        dependencies={"gateway": Provide(the_gateway, sync_to_thread=False)},
        exception_handlers={PosthumanError: answer_problem, Exception: answer_problem},
        middleware=[
            access_log,
            SlowClients(limits.idle_receive_seconds, limits.idle_send_seconds, limits.body_seconds),
        ],
        after_exception=[access_log.log_unrouted],
        before_request=refuse_deep_body,
        request_max_body_size=limits.body_bytes,
        lifespan=[tending(gateway)],
        logging_config=None,
        openapi_config=openapi_config(),
        debug=debug,
    )
